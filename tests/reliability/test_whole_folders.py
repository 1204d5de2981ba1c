"""Folders that commands make: whole, or not there, wherever the process is killed or the disk fails."""

import errno
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import processes
import pytest
import torch
from faulty_disk import DiedError, dying, failing
from matplotlib.figure import Figure

from seq2seq import folder_lock
from seq2seq.commands.interpreting.report_folder import write_pages, write_report
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError
from seq2seq.export import manifest
from seq2seq.export.writing import write_export
from seq2seq.runs.derived_run import write_parts_of_run, write_run
from seq2seq.runs.run_folder import new_folder
from seq2seq.runs.versions import Versions
from seq2seq.whole_file import write_whole
from seq2seq.whole_folder import whole_folder

Write = Callable[[Path], object]
FACTS = {"edits": False, "copies": False}
TOLD = dict.fromkeys(
    (
        "version",
        "model",
        "parameters",
        "given",
        "worst",
        "files",
        "scores",
        "pad",
        "bos",
        "eos",
        "opset",
        "step",
        "lines",
    ),
    "",
)


class _Saved(Tokenizers):
    """Tokenizers, as far as a run folder knows."""

    def __init__(self) -> None:
        pass

    def save(self, folder: Path) -> None:
        for side in ("source", "target"):
            write_whole(folder / f"{side}.model", b"pieces")


CHECKPOINT = {"config": {"task": "x"}, "weights": {"w": torch.ones(3)}, "global_step": 3}
WAYS: dict[str, Write] = {
    "a run": lambda folder: write_run(folder, dict(CHECKPOINT), {"scores": {}}, _Saved()),
    "an export": lambda folder: write_export(folder, {"model": FACTS}, {"step.onnx": b"graph" * 99}, TOLD),
    "a report": lambda folder: write_report(folder, "units", {"a": 1}, {"b": Figure()}, ["svg"], units="<p>"),
    "pages": lambda folder: write_pages(folder, {"report.html": "<p>"}, {"b": Figure()}, ["svg", "png"]),
}


def contents(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def deaths(write: Write, place: Path, there: bool) -> list[Path]:
    """Folders that a process has left which was killed before each of its changes to the disk."""
    counted = made(place / "counted", there)
    with dying(place, None) as disk:
        write(counted)
    left = []
    for before in range(disk.writes):
        folder = made(place / f"died_{before}", there)
        with pytest.raises(DiedError), dying(place, before):
            write(folder)
        release_all()  # as the system does
        left.append(folder)
    return left


def made(folder: Path, there: bool) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    if there:
        folder.mkdir()
    return folder


def release_all() -> None:
    for held in [*folder_lock._held]:
        folder_lock.release(held)


@pytest.mark.parametrize("name", WAYS)
def test_whatever_kills_the_process_a_new_folder_is_whole_or_not_there(name, tmp_path):
    left = deaths(WAYS[name], tmp_path, there=False)
    assert len(left) > 6
    whole = contents(tmp_path / "counted")
    for folder in left:
        assert not folder.exists() or contents(folder) == whole


@pytest.mark.parametrize("name", ["a run", "an export"])
def test_an_empty_folder_that_was_there_is_no_run_and_no_export_before_it_is_whole(name, tmp_path):
    left = deaths(WAYS[name], tmp_path, there=True)
    whole = contents(tmp_path / "counted")
    for folder in left:
        begun = [path for path in folder.iterdir() if not path.name.startswith(".")]
        last = folder / ("checkpoints" if name == "a run" else manifest.FILE)
        assert not last.exists() or [one for one in contents(folder) if not one.startswith(".")] == whole
        if begun:
            with pytest.raises(UserError, match="must be a new or empty folder, but is not: choose another, or remove"):
                new_folder("out", folder)


@pytest.mark.parametrize("name", WAYS)
def test_the_same_command_goes_on_where_it_was_killed_and_clears_up(name, tmp_path):
    for folder in deaths(WAYS[name], tmp_path, there=False):
        if not folder.exists():
            WAYS[name](new_folder("out", folder))
        assert contents(folder) == contents(tmp_path / "counted")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_at_any_write_leaves_nothing(name, number, tmp_path):
    with failing(tmp_path, None) as disk:
        WAYS[name](tmp_path / "counted")
    for first in range(disk.writes):
        with pytest.raises(OSError, match=os.strerror(number)), failing(tmp_path, first, number):
            WAYS[name](tmp_path / "out")
        assert [path.name for path in tmp_path.iterdir()] == ["counted"]


def test_a_version_that_is_half_written_is_never_used(tmp_path):
    versions = Versions(tmp_path / "run")
    write = partial(write_parts_of_run, checkpoint=dict(CHECKPOINT), record={}, tokenizers=_Saved())
    versions.add(write)
    with dying(tmp_path, None) as disk:
        versions.add(write)
    for before in range(disk.writes):
        known = versions.current
        with pytest.raises(DiedError), dying(tmp_path, before):
            versions.add(write)
        release_all()
        assert versions.current == known
        assert {len(contents(versions.path(number))) for number in versions.numbers} == {5}
    assert versions.add(write) == versions.numbers[-1] == versions.current
    assert sorted(path.name for path in versions.folder.iterdir())[-1] == "current"
    assert not list(versions.folder.glob(".*"))


def test_what_was_written_meanwhile_by_another_process_stays(tmp_path):
    folder = tmp_path / "out"

    def late() -> None:
        with whole_folder(folder) as half:
            (half / "own").write_text("b")
            folder.mkdir(exist_ok=True)
            (folder / "other").write_text("a")

    for there in (False, True):
        made(folder, there)
        with pytest.raises(UserError, match="was new or empty, but another process has written into it: choose"):
            late()
        assert contents(folder) == ["other"]
        (folder / "other").unlink()
        folder.rmdir()


@pytest.mark.parametrize("locks", [True, False])
def test_a_second_writer_of_the_same_number_leaves_the_work_of_the_first_alone(locks, tmp_path, monkeypatch):
    """Two threads have one number, and so can processes of two containers that share a disk."""
    if not locks:  # as on disks that know none
        monkeypatch.setattr(folder_lock, "fcntl", None)

    def stopped() -> None:
        with whole_folder(tmp_path / "out") as half:
            (half / "own").write_text("b")
            raise ZeroDivisionError

    with whole_folder(tmp_path / "out") as first:
        (first / "own").write_text("a")
        with pytest.raises(ZeroDivisionError):
            stopped()
        assert folder_lock.is_held_here(first) == locks
        assert [path.name for path in tmp_path.iterdir()] == [first.name]
    assert (tmp_path / "out" / "own").read_text() == "a"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_is_cleared_away_before_it_is_held_is_made_anew(tmp_path, monkeypatch):
    taken = []

    def late(folder: Path) -> bool | None:
        if not taken:  # by a process that thought it abandoned
            taken.append(folder)
            shutil.rmtree(folder)
        return folder_lock.hold(folder)

    monkeypatch.setattr("seq2seq.whole_folder.hold", late)
    with whole_folder(tmp_path / "out") as half:
        assert half not in taken
        (half / "own").write_text("a")
    assert contents(tmp_path) == ["out/own"]


def test_an_unfinished_folder_of_a_process_that_lives_is_left_alone(tmp_path):
    other = tmp_path / ".out.99.half"
    other.mkdir()
    assert folder_lock.hold(other)
    with whole_folder(tmp_path / "out") as half:
        (half / "own").write_text("b")
    assert other.is_dir()
    folder_lock.release(other)
    with whole_folder(tmp_path / "out_2"):
        pass
    assert other.is_dir()  # it is of another name
    shutil.rmtree(tmp_path / "out")
    with whole_folder(tmp_path / "out"):
        pass
    assert not other.is_dir()


def test_links_long_names_and_folders_that_are_there(tmp_path):
    (tmp_path / "link").symlink_to("aim")
    (tmp_path / "there").mkdir()
    kept = (tmp_path / "there").stat().st_ino
    for name in ("link", "there", "n" * 255, "ü" * 127, ".hidden.name"):
        with whole_folder(new_folder("out", tmp_path / name)) as half:
            (half / "own").write_text("b")
        assert contents(tmp_path / name) == ["own"]
    assert (tmp_path / "there").stat().st_ino == kept
    assert contents(tmp_path / "aim") == ["own"]


def test_a_folder_that_cannot_be_made_is_told_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"out=.*file/out cannot be written: Not a directory: choose another folder"):
        new_folder("out", tmp_path / "file" / "out")
    with failing(tmp_path, 0, errno.EROFS), pytest.raises(UserError, match="cannot be written: Read-only file system"):
        new_folder("out", tmp_path / "a" / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_real_read_only_disk_is_told_before_any_work(disk):
    place = disk("1m")
    assert processes.remounted(place, "ro")
    with pytest.raises(UserError, match="cannot be written: Read-only file system: choose another folder"):
        new_folder("out", place / "out")
    assert processes.remounted(place, "rw")
