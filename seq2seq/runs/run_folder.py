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
from seq2seq.folder_lock import hold, is_held_here, release
from seq2seq.ranks import first_process
from seq2seq.runs.meeting import current_meeting
from seq2seq.runs.near_runs import run_advice
from seq2seq.runs.own_files import MADE, with_own_files
from seq2seq.runs.versions import refuse_versions
from seq2seq.whole_folder import check_room, is_free

logger = logging.getLogger(__name__)

_CHECKPOINTS = "checkpoints"
_WITHOUT_CHECKPOINT = {  # what a run writes before its first checkpoint
    *("config.yaml", "environment.json", "changes.yaml", "tokenizers", "metrics", "tensorboard", "skipped"),
    *(_CHECKPOINTS, MADE),
}
_STAYS = {"pairs", "wandb", "mlflow.db"}  # of that, what is also of others


def open_run_folder(config: DictConfig, repeated: dict[str, Any] | None = None) -> tuple[dict[str, Any], Path]:
    """The plain config to train with, or the one that is repeated, and the folder that the run is written to.

    The folder is made here, so that no other run takes it, and a refusal comes before any work.
    Raises UserError if it cannot be named or made, already holds a run, or holds none to resume.
    """
    if not config.run_dir or not isinstance(config.run_dir, str | int | float):  # a folder's name can be a number
        raise UserError(f"run_dir must be a folder, but is {config.run_dir!r}: give one, or leave run_dir out.")
    if config.resume:
        folder = Path(str(config.run_dir))
        refuse_versions("resume=true", folder)
        return _held_and_stored(folder, config.get("changes", [])), folder
    check_task(config.task)
    resolved = resolve(config) if repeated is None else repeated
    if (meeting := current_meeting()) is not None and not first_process():
        return resolved, Path(meeting.hear("folder").decode())
    folder = _taken(sweep_folder() or Path(str(config.run_dir)), numbered=not _named())
    if meeting is not None:  # clocks of machines differ, and so would folders that are named by them
        meeting.tell("folder", str(folder.absolute()).encode())
    return resolved, folder


@contextmanager
def released_at_failure(folder: Path, *, taken: bool = True) -> Iterator[None]:
    """Let others hold a run's folder once the context ends, and give it back at an error with nothing in it."""
    taken = taken and first_process()
    if taken and (meeting := current_meeting()) is not None:
        meeting.at_stop = lambda: _give_back(folder)
    try:
        yield
    except BaseException:
        if taken:
            _give_back(folder)
        raise
    finally:
        release(folder)


def _give_back(folder: Path) -> None:
    if not (folder / "config.yaml").exists():
        shutil.rmtree(folder / MADE, ignore_errors=True)
    with suppress(OSError):  # where there is something in it
        (folder / _CHECKPOINTS).rmdir()
        folder.rmdir()


def new_folder(option: str, path: str | Path) -> Path:
    """The folder of an option's value, not made yet. Raises UserError if it holds something, or cannot be written."""
    folder = Path(str(path))  # a name can be a number
    if not is_free(folder):
        raise UserError(f"{option}={folder} must be a new or empty folder, but is not: choose another, or remove it.")
    check_room(option, folder)
    return folder


def discard(folder: Path) -> None:
    """Remove the folder of a run that has left no checkpoint."""
    shutil.rmtree(folder)


def _taken(folder: Path, *, numbered: bool) -> Path:
    """The folder, held and made now, or where it is taken and need not have this name, the next with a number.

    Of several processes that come at once, one holds it; where that cannot be told, one makes its place for
    checkpoints.
    """
    names = (folder if number == 1 else folder.with_name(f"{folder.name}_{number}") for number in count(1))
    for own in names:
        held: bool | None = None
        try:
            own.mkdir(parents=True, exist_ok=True)
            held = hold(own)
            if held is not False and (not any(own.iterdir()) or (held and not numbered and _replaced(own))):
                (own / _CHECKPOINTS).mkdir()
                return own
        except FileExistsError:
            if not own.is_dir():
                kind = "a link that leads nowhere" if own.is_symlink() and not own.exists() else "a file"
                raise UserError(f"run_dir={own} must be a folder, but is {kind}: choose another folder.") from None
        except OSError as error:
            raise UserError(f"run_dir={own} cannot be made: {error.strerror}: choose another folder.") from None
        if held:
            release(own)
        if not numbered:
            raise UserError(_refusal(own, held))
    raise AssertionError  # numbers do not end


def _refusal(folder: Path, held: bool | None) -> str:
    if held is False:
        return f"run_dir={folder} is held by a run that is under way: choose another folder, or wait for its end."
    checkpoints, known = folder / _CHECKPOINTS, _WITHOUT_CHECKPOINT | _STAYS
    empty = checkpoints.is_dir() and not any(checkpoints.iterdir())
    if empty and {path.name for path in folder.iterdir()} <= known:  # it may be under way
        return (
            f"run_dir={folder} holds a run without a checkpoint yet: choose another folder, or remove it if that run "
            "has stopped."
        )
    return f"run_dir={folder} already holds a run: choose another folder, or add resume=true to continue it."


def _replaced(folder: Path) -> bool:
    """Tell whether a folder held no more than a run that left no checkpoint; that is then removed, in a line."""
    found, parts = {path.name for path in folder.iterdir()}, folder / _CHECKPOINTS
    if not parts.is_dir() or found - _WITHOUT_CHECKPOINT - _STAYS or any(folder.rglob("*.ckpt")):
        return False
    if any(not path.name.endswith(".part") for path in parts.iterdir()):
        return False
    gone = sorted(found - _STAYS - {_CHECKPOINTS})
    for path in (parts, *(folder / name for name in gone)):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    said = f" ({', '.join(gone)}) is replaced" if gone else " is empty"
    logger.warning("run_dir=%s held a run that stopped before its first checkpoint; what it left%s", folder, said)
    return True


def _named() -> bool:
    """Tell whether the user has chosen the folder."""
    return sweep_folder() is not None or any(text.startswith("run_dir=") for text in given_overrides())


def _held_and_stored(folder: Path, changes: Sequence[str]) -> dict[str, Any]:
    """The config that a run goes on with, in a folder that no other holds."""
    if not first_process() or is_held_here(folder):
        return _stored(folder, changes)
    if (held := hold(folder)) is False:
        raise UserError(f"run_dir={folder} is held by a run that is under way: wait for its end, or stop it.")
    try:
        return _stored(folder, changes)
    except BaseException:
        if held:
            release(folder)
        raise


def _stored(folder: Path, changes: Sequence[str]) -> dict[str, Any]:
    """The config that a run's last checkpoint holds, with the user's overrides on top."""
    if not (folder / "config.yaml").is_file():
        advice = run_advice(folder, "run_dir") or "leave resume=true out to start one, or give another run_dir"
        raise UserError(f"resume=true needs a run to continue, but run_dir={folder} holds none: {advice}.")
    from seq2seq.runs.checkpoint import read_checkpoint
    from seq2seq.runs.checkpoint_paths import last_checkpoint

    start = last_checkpoint(folder)
    checkpoint = read_checkpoint(start)
    if "optimizer_states" not in checkpoint:
        raise UserError(
            f"resume=true needs a run that was trained, but run_dir={folder} was made of others and has no state of a "
            f"training: start a run from its weights, by init={folder}."
        )
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
