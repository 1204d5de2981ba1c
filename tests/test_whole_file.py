"""Files that are whole or not there, whoever else writes them at the same time, and paths that are no files."""

import os
import stat
import threading
from pathlib import Path

import pytest

from seq2seq.whole_file import behind_links, check_writable, part_of, remove_parts, write_whole

DATA = b"x" * 100_000  # more than a pipe holds


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    path, found = tmp_path / "pipe.csv", []
    os.mkfifo(path)
    check_writable(path)
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
    reader.start()
    write_whole(path, DATA)
    reader.join(60)
    assert found == [DATA]
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_stays_one():
    check_writable(link := Path(os.devnull))
    write_whole(link, DATA)
    assert stat.S_ISCHR(link.stat().st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")
def test_a_device_that_is_full_is_told_by_its_name(tmp_path):
    path = tmp_path / "full.csv"
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as error:
        write_whole(path, DATA)
    assert error.value.filename == str(path)
    assert path.is_symlink()


def test_of_files_of_our_own_a_link_is_replaced_and_what_it_leads_to_is_left_alone(tmp_path):
    other, path = tmp_path / "other.ckpt", tmp_path / "best.ckpt"
    other.write_bytes(b"of another run")
    path.symlink_to(other)
    write_whole(path, b"new")
    assert (other.read_bytes(), path.read_bytes(), path.is_symlink()) == (b"of another run", b"new", False)


@pytest.mark.parametrize("there", [True, False])
def test_behind_a_link_is_what_it_leads_to(tmp_path, there):
    far, link, chain = tmp_path / "far" / "file", tmp_path / "link", tmp_path / "chain"
    far.parent.mkdir()
    if there:
        far.write_bytes(b"before")
    link.symlink_to(far)
    chain.symlink_to("link")
    write_whole(behind_links(chain), b"after")
    assert far.read_bytes() == b"after"
    assert chain.is_symlink()
    assert link.is_symlink()
    assert list(far.parent.iterdir()) == [far]


def test_what_is_no_link_is_named_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(behind_links(Path("a/../b"))) == "a/../b"


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
