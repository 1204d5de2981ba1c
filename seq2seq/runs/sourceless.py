"""Runs whose model has no source: what they cannot do is refused."""

from typing import Any

from seq2seq.errors import UserError
from seq2seq.runs.run import DecodingRun


def refuse_language_model(run: DecodingRun, path: Any, what: str) -> None:
    """Raise UserError, naming what was asked for, where a run is a language model."""
    if run.model.sourceless:
        raise UserError(f"{what} needs a model with a source, but run={path} is a language model: give another run.")
