"""The checkpoint of a run folder that is used, or that training goes on from."""

from pathlib import Path

from seq2seq.errors import UserError
from seq2seq.export.manifest import is_export
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.near_runs import meant_by, run_advice
from seq2seq.runs.versions import folder_in_use

ALONE = "which translate, evaluate, score, selfcheck and benchmark mode=decode can use alone"  # of exports


def find_checkpoint(path: str | Path, option: str = "run") -> Path:
    """The path of the best checkpoint of a run folder, else of its last; or that of the checkpoint itself.

    Of a folder with versions, it is that of the version in use. Raises UserError, which names the option that gave the
    path, if there is none, and at an export.
    """
    path = Path(path)
    if not path.exists():
        rather = meant_by(path) or "give a run folder or a checkpoint file."
        raise UserError(f"{option}={path} does not exist: {rather}")
    if path.is_file():
        return path
    for name in ("best", "last"):
        if (checkpoint := folder_in_use(path) / "checkpoints" / f"{name}.ckpt").is_file():
            return checkpoint
    if is_export(path):
        raise UserError(f"{option}={path} is an export, {ALONE}: give the run that it was made of.")
    advice = f": {rather}" if (rather := run_advice(path, option)) else ""
    lacking = "there is no checkpoints/best.ckpt or last.ckpt in it"
    raise UserError(f"{option}={path} holds no checkpoint: {lacking}{advice}.")


def last_checkpoint(folder: Path) -> Path:
    """The path of the checkpoint that a run folder goes on from: its last, or the newest that is whole.

    Raises UserError if there is none.
    """
    last = folder / "checkpoints" / "last.ckpt"
    try:
        read_checkpoint(last, whole=True)
    except UserError as error:
        best = last.with_name("best.ckpt")
        others = [path for path in (best, *last.parent.glob("step-*.ckpt")) if _step_of(path) >= 0]
        if others:
            return max(others, key=_step_of)
        if last.is_file():
            raise UserError(str(error)) from None
        raise UserError(
            f"resume=true needs {last}, but there is none, as the run stopped before its first step was saved: leave "
            f"resume=true out, and a run is started anew there."
        ) from None
    return last


def _step_of(path: Path) -> int:
    """The step of a checkpoint that is whole; -1 of any other file."""
    try:
        return int(read_checkpoint(path, whole=True)["global_step"])
    except UserError:
        return -1
