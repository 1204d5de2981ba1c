"""Examples that a call gives, or those of the run's own data."""

import os
from collections.abc import Sequence

from seq2seq.data.examples import Example
from seq2seq.data.text import formed
from seq2seq.errors import UserError
from seq2seq.library.pairs import Pairs, examples_of, is_path
from seq2seq.runs.run import LoadedRun, text_form


def given_to(run: LoadedRun, pairs: Pairs, *, in_order: bool = False) -> Sequence[Example]:
    """Examples of what holds pairs, those of a file read as the run's own data were; in order, each row is one."""
    if is_path(pairs):
        from seq2seq.runs.evaluation import given_examples  # torchmetrics takes a second to import

        return given_examples(run, os.fspath(pairs), in_order=in_order)
    return examples_of(pairs, in_order=in_order)


def examples_for(
    run: LoadedRun, given: Sequence[Example] | None, split: str | None, name: str
) -> tuple[str, Sequence[Example]]:
    """A name and the examples of it: given ones, in the run's form of text, or those of a split of its own data."""
    from seq2seq.runs.evaluation import load_examples  # as above

    if given is None:
        return load_examples(run, None, split)
    if split is not None:
        raise UserError(f"split must be None where there are {name}, but is {split!r}: give one.")
    return name, formed(text_form(run.config), given)
