"""The kind of a config's model, known before it is built."""

from typing import Any

from seq2seq.config.closed_table import find

AUTO = "auto"  # what data have a say in


def is_open(config: dict[str, Any]) -> bool:
    """Tell whether the model of a config is left to the data, as `model=auto` does."""
    model = config.get("model")
    return isinstance(model, dict) and model.get("_target_") == AUTO


def writes_edits(config: dict[str, Any]) -> bool:
    """Tell whether the model of a config writes by edits of its source."""
    return _says(config, "edits")


def is_language_model(config: dict[str, Any]) -> bool:
    """Tell whether the model of a config has no source."""
    return _says(config, "sourceless")


def _says(config: dict[str, Any], name: str) -> bool:
    model = config.get("model")
    if not isinstance(model, dict) or is_open(config):
        return False
    return bool(getattr(find(model["_target_"], "model"), name, False))
