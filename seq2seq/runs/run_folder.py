"""Run folders: never written over another run, and found again to resume."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from seq2seq.config.contract import resolve
from seq2seq.config.job import given_overrides, sweep_folder
from seq2seq.config.stored import continued, edited, with_changes
from seq2seq.config.task_name import check_task
from seq2seq.errors import UserError
from seq2seq.ranks import first_process
from seq2seq.runs.meeting import current_meeting
from seq2seq.runs.own_files import MADE, with_own_files

logger = logging.getLogger(__name__)

_CHECKPOINTS = "checkpoints"


def open_run_folder(config: DictConfig, repeated: dict[str, Any] | None = None) -> tuple[dict[str, Any], Path]:
    """The plain config to train with, or the one that is repeated, and the folder that the run is written to.

    The folder is made here, so that no other run takes it, and a refusal comes before any work.
    Raises UserError if it cannot be named or made, already holds a run, or holds none to resume.
    """
    if not config.run_dir:
        raise UserError(f"run_dir must be a folder, but is {config.run_dir!r}: give one, or leave run_dir out.")
    if config.resume:
        folder = Path(config.run_dir)
        return _stored(folder, config.get("changes", [])), folder
    check_task(config.task)
    resolved = resolve(config) if repeated is None else repeated
    if (meeting := current_meeting()) is not None and not first_process():
        return resolved, Path(meeting.hear("folder").decode())
    folder = _taken(sweep_folder() or Path(config.run_dir), numbered=not _named())
    if meeting is not None:  # clocks of machines differ, and so would folders that are named by them
        meeting.tell("folder", str(folder.absolute()).encode())
    return resolved, folder


@contextmanager
def released_at_failure(folder: Path, *, taken: bool = True) -> Iterator[None]:
    """Give back a folder that was taken for a run, where the context ends by an error with nothing in it."""
    taken = taken and first_process()
    if taken and (meeting := current_meeting()) is not None:
        meeting.at_stop = lambda: _release(folder)
    try:
        yield
    except BaseException:
        if taken:
            _release(folder)
        raise


def _release(folder: Path) -> None:
    if not (folder / "config.yaml").exists():
        shutil.rmtree(folder / MADE, ignore_errors=True)
    with suppress(OSError):  # where there is something in it
        (folder / _CHECKPOINTS).rmdir()
        folder.rmdir()


def new_folder(option: str, path: str | Path) -> Path:
    """The folder of an option's value, not made yet. Raises UserError if it holds something."""
    folder = Path(path)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{option}={folder} must be a new or empty folder, but is not: choose another, or remove it.")
    return folder


def discard(folder: Path) -> None:
    """Remove the folder of a run that has left no checkpoint."""
    shutil.rmtree(folder)


def _taken(folder: Path, *, numbered: bool) -> Path:
    """The folder, made now, or where it is taken and need not have this name, the next with a number.

    Of several processes that come at once, one makes its place for checkpoints.
    """
    names = (folder if number == 1 else folder.with_name(f"{folder.name}_{number}") for number in count(1))
    for own in names:
        try:
            own.mkdir(parents=True, exist_ok=True)
            if not any(own.iterdir()):
                (own / _CHECKPOINTS).mkdir()
                return own
        except FileExistsError:
            if not own.is_dir():
                raise UserError(f"run_dir={own} must be a folder, but is a file: choose another folder.") from None
        except OSError as error:
            raise UserError(f"run_dir={own} cannot be made: {error.strerror}: choose another folder.") from None
        if not numbered:
            raise UserError(_refusal(own))
    raise AssertionError  # numbers do not end


def _refusal(folder: Path) -> str:
    checkpoints = folder / _CHECKPOINTS
    if checkpoints.is_dir() and not any(checkpoints.iterdir()):
        return (
            f"run_dir={folder} holds a run without a checkpoint yet: choose another folder, or remove it if that run "
            "has stopped."
        )
    return f"run_dir={folder} already holds a run: choose another folder, or add resume=true to continue it."


def _named() -> bool:
    """Tell whether the user has chosen the folder."""
    return sweep_folder() is not None or any(text.startswith("run_dir=") for text in given_overrides())


def _stored(folder: Path, changes: Sequence[str]) -> dict[str, Any]:
    """The config that a run's last checkpoint holds, with the user's overrides on top."""
    if not (folder / "config.yaml").is_file():
        raise UserError(
            f"resume=true needs a run to continue, but run_dir={folder} holds none: leave resume=true out to start "
            "one, or give another run_dir."
        )
    from seq2seq.runs.checkpoint import read_checkpoint
    from seq2seq.runs.checkpoint_paths import last_checkpoint

    start = last_checkpoint(folder)
    checkpoint = read_checkpoint(start)
    if start.name != "last.ckpt" and first_process():
        logger.warning(
            "checkpoints/last.ckpt is not whole: the run goes on from %s, of step %d",
            start.name,
            checkpoint["global_step"],
        )
    config = with_changes(checkpoint["config"], folder)
    if keys := edited(folder, config):
        shown = ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")
        logger.warning(
            "%s/config.yaml was edited and is not read: what the run was trained with holds (%s)", folder, shown
        )
    return continued(with_own_files(config, folder), changes)
