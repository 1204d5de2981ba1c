"""Mistakes in how a model is searched, known before there are data or lines."""

from seq2seq.decoding.search.search import Search
from seq2seq.errors import UserError


def refuse_unattended(search: Search, *, attends: bool, replaces: bool = False) -> None:
    """Raise UserError where translations would be made by weights of a source that the model does not look at."""
    if attends:
        return
    if replaces:
        raise UserError("replace_unknown must be false with a model without attention, which looks at no source word.")
    if beta := search.coverage_penalty.beta:
        raise UserError(
            "decoding.coverage_penalty.beta must be 0 with a model without attention, which looks at no source word, "
            f"but is {beta}."
        )
