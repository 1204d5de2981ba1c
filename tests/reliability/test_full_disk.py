"""A disk that is full, or turns read-only, at any write: one line, nothing half written, and training goes on later."""

import errno
import os
from pathlib import Path

import processes
import pytest
from faulty_disk import failing
from wholeness import assert_same_weights, check_whole

from seq2seq.commands.train import train

LOGGERS = ("none", "csv", "tensorboard")


@pytest.fixture(scope="module")
def undisturbed(tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "checkpoints").mkdir()
    train(tiny("logger=none"), folder, resume=False)
    return folder


def goes_on(ended, folder: Path, logger: str, undisturbed: Path) -> None:
    """Train to the end, now that there is room: on from the checkpoint, if there is one."""
    kept = any((folder / "checkpoints").glob("*.ckpt"))
    if not kept and folder.exists():
        assert not (folder / "metrics.json").exists()
        folder = folder.with_name("again")
    if not (folder / "metrics.json").exists():
        end = ended(folder, f"logger={logger}", resume=kept)
        assert end.code == 0, end.said
    check_whole(folder)
    assert_same_weights(folder, undisturbed)


def count_of_writes(ended, folder: Path, logger: str) -> int:
    with failing(folder, None) as counted:
        assert ended(folder, f"logger={logger}").code == 0
    return counted.writes


@pytest.mark.parametrize(("logger", "share"), [("none", 0.0), ("csv", 0.6), ("tensorboard", 0.9)])
def test_a_disk_that_fills_up_is_told_in_one_line_and_later_training_goes_on(
    ended, undisturbed, tmp_path, logger, share
):
    writes = count_of_writes(ended, tmp_path / "counted", logger)
    assert writes > 6
    with failing(tmp_path / "run", int(share * writes)):
        end = ended(tmp_path / "run", f"logger={logger}")
    assert "No space left on device: check path, permissions and space." in end.mistake
    check_whole(tmp_path / "run")
    goes_on(ended, tmp_path / "run", logger, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("logger", LOGGERS)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT, errno.EFBIG])
def test_whichever_write_fails_first(ended, undisturbed, tmp_path, logger, number):
    writes = count_of_writes(ended, tmp_path / "counted", logger)
    for first in range(writes):
        folder = tmp_path / str(first) / "run"
        with failing(folder, first, number):
            end = ended(folder, f"logger={logger}")
        if end.code == 0:  # the last to be flushed is of a log, behind all else
            assert first > writes - 4
            continue
        assert f"{os.strerror(number)}: c" in end.mistake
        check_whole(folder)
        goes_on(ended, folder, logger, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize(("logger", "size"), [("csv", "16k"), ("none", "64k"), ("tensorboard", "120k")])
def test_a_real_disk_that_is_full(ended, disk, logger, size):
    folder = disk(size) / "run"
    end = ended(folder, f"logger={logger}")
    assert "No space left on device" in end.mistake
    check_whole(folder)


def test_a_real_disk_is_full_and_then_has_room(ended, disk, undisturbed):
    place = disk("128k")
    assert "No space left on device" in ended(place / "run", "logger=none").mistake
    assert processes.remounted(place, "size=8m")
    goes_on(ended, place / "run", "none", undisturbed)


def test_a_read_only_disk(ended, disk):
    place = disk("8m")
    assert ended(place / "run", "logger=none", "budget.max_steps=2").code == 0
    (place / "run" / "metrics.json").unlink()
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert processes.remounted(place, "ro")
    for folder, resume in ((place / "run", True), (place / "new", False)):
        assert "Read-only file system" in ended(folder, "logger=none", "budget.max_steps=4", resume=resume).mistake
    assert before == {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert processes.remounted(place, "rw")
    assert ended(place / "run", "logger=none", "budget.max_steps=4", resume=True).code == 0
    check_whole(place / "run")
