"""Options of Hydra itself, refused where nothing good comes of them."""

from collections.abc import Sequence

from seq2seq.config.options import defaults
from seq2seq.errors import UserError

# Scripts keep to the folder that they were started in, and a run's folder holds what is its own alone.
_NEVER = ("hydra.run", "hydra.output_subdir", "hydra.job.chdir", "hydra.runtime", "hydra.overrides")
_OF_SWEEPS = ("hydra.sweep", "hydra.sweeper", "hydra.launcher", "hydra.job.name")


def refuse_misplaced(arguments: Sequence[str], multirun: bool) -> None:
    """Raise UserError at an argument that says where Hydra is to write, and at one for sweeps where there is none."""
    multirun = multirun or any(_key(text) == "hydra.mode" and text.endswith("=MULTIRUN") for text in arguments)
    for argument in arguments:
        if _is_of(argument, _NEVER):
            raise UserError(
                f"{argument} is not for these scripts, which say themselves where they write: {_instead(argument)}."
            )
        if not multirun and _is_of(argument, _OF_SWEEPS):
            raise UserError(f"{argument} is for a sweep: add --multirun, or leave it out.")


def _instead(argument: str) -> str:
    if _key(argument) == "hydra.run.dir" and "run_dir" in defaults():
        return f"use run_dir={argument.partition('=')[2]} instead"
    return "leave it out"


def _is_of(argument: str, parts: Sequence[str]) -> bool:
    return any(f"{_key(argument)}.".startswith(f"{part}.") for part in parts)


def _key(argument: str) -> str:
    """The dotted key of an argument, a group's too, without the signs before it."""
    return argument.partition("=")[0].lstrip("+~").replace("/", ".")
