"""Files that options name: what is there stays, and what cannot be written is told first."""

import os

import pytest

from seq2seq.errors import UserError
from seq2seq.runs.named_files import new_file, writable_file


def refusal(function, path) -> str:
    with pytest.raises(UserError) as error:
        function("out", path)
    return str(error.value)


@pytest.mark.parametrize("linked", [False, True])
def test_a_file_that_is_there_is_refused_under_any_name_and_left_alone(tmp_path, linked):
    path = tmp_path / "a.csv"
    path.write_bytes(b"kept")
    given = tmp_path / "link.csv" if linked else path
    if linked:
        given.symlink_to(path)
    said = f"out={given} must be a new file, but is there: choose another, or remove it."
    assert refusal(new_file, given) == said
    assert path.read_bytes() == b"kept"
    assert writable_file("picture", given) == given


def test_new_files_pipes_and_links_to_nothing_are_taken(tmp_path):
    pipe, link = tmp_path / "pipe.csv", tmp_path / "link.csv"
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "not_yet.csv")
    for path in (pipe, link, tmp_path / "new.csv", tmp_path / "new" / "folder" / "a.csv"):
        assert new_file("out", path) == path
    assert sorted(tmp_path.iterdir()) == [link, pipe]


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    below = tmp_path / "file" / "a.csv"
    assert refusal(writable_file, below) == f"out={below} cannot be written: Not a directory: choose another file."
    assert refusal(new_file, tmp_path) == f"out={tmp_path} cannot be written: Is a directory: choose another file."
