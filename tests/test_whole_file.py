"""A file is whole on disk, whoever else writes it at the same time."""

import os
from pathlib import Path

import pytest

from seq2seq.whole_file import part_of, remove_parts, write_whole


def test_two_writers_of_one_process_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, flush, begun = tmp_path / "file", os.fsync, []

    def meanwhile(handle: int) -> None:
        if not begun:
            begun.append(True)
            write_whole(path, b"of another thread")
            assert path.read_bytes() == b"of another thread"
        flush(handle)

    monkeypatch.setattr(os, "fsync", meanwhile)
    write_whole(path, b"its own")
    assert path.read_bytes() == b"its own"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("name", ["a", "a.b.c", ".hidden", "ä" * 120])
def test_what_a_killed_writer_leaves_is_found_by_its_name(tmp_path: Path, name: str):
    part = part_of(tmp_path / name, ".part")
    part.touch()
    remove_parts(tmp_path)
    assert not part.exists()
