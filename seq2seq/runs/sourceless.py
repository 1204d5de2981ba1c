"""Runs whose model has no source: what they cannot do is refused."""

from typing import Any

from seq2seq.errors import UserError
from seq2seq.runs.run import LoadedRun

_MODEL = "seq2seq.models.language_model.LanguageModel"


def is_language_model(config: dict[str, Any]) -> bool:
    """Tell whether a config is of a language model."""
    return isinstance(model := config.get("model"), dict) and model.get("_target_") == _MODEL


def refuse_language_model(run: LoadedRun, path: Any, what: str) -> None:
    """Raise UserError, naming what was asked for, where a run is a language model."""
    if is_language_model(run.config):
        raise UserError(f"{what} needs a model with a source, but run={path} is a language model: give another run.")
