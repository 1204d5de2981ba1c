"""Choices to set side by side: overrides beside the config as it is."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seq2seq.config.arguments import warn_of_repeated
from seq2seq.errors import UserError

PLAIN = "as it is"
OF_ONE_RUN = ("run_dir", "resume", "from", "find_lr", "lr_finder", "hydra")  # its folder, and what it goes on from


def read_choices(given: Iterable[object]) -> dict[str, list[str]]:
    """Overrides of each choice, by their text with spaces between them; first, none.

    Raises UserError at what is no override, and at an option of one run alone.
    """
    own = {text: _words(text) for text in map(str, given)}
    every = [text for parts in own.values() for text in parts]
    for text in [text for text in every if "=" not in text] or ([] if own else ["nothing"]):
        raise UserError(f"choices must be overrides, such as ['model.dropout=0.2'], but {text} is none.")
    refuse_of_one_run(every)
    for parts in own.values():
        warn_of_repeated(parts)
    return {PLAIN: [], **own}


def _words(text: str) -> list[str]:
    """The overrides of a choice, parted as a shell does."""
    try:
        return shlex.split(text)
    except ValueError:
        raise UserError(
            f"choices must be overrides, such as ['model.dropout=0.2'], but {text!r} has a quotation without end."
        ) from None


def refuse_of_one_run(overrides: Iterable[str], seeds: int = 1) -> None:
    """Raise UserError at an override that runs side by side cannot have, as it is of one run alone.

    So is a seed where each choice is trained with several.
    """
    for text in overrides:
        key = re.split(r"[.=/]", text.lstrip("+~"))[0]
        if key in OF_ONE_RUN:
            raise UserError(f"{text} is for a run of its own, and not for runs side by side: leave it out.")
        if key == "seed" and seeds > 1:
            raise UserError(f"{text} must not be given with seeds={seeds}, which are 1, 2, ...: leave one of them out.")


def read_values(given: object) -> tuple[str, list[Any]]:
    """An option and its values, which choices are set side by side at. Raises UserError at anything else."""
    if isinstance(given, Mapping) and len(given) == 1:
        (key, values), *_ = given.items()
        if (
            isinstance(values, Sequence)
            and not isinstance(values, str)
            and len(set(map(str, values))) == len(values) > 1
        ):
            return str(key), list(values)
    raise UserError(
        f"along must be one option and two values or more, such as {{data.train_size: [500, 2000]}}, but is {given}."
    )
