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


def is_tagger(config: dict[str, Any]) -> bool:
    """Tell whether the model of a config writes one label, or frame, for each position of the source."""
    return _says(config, "tags")


def is_language_model(config: dict[str, Any]) -> bool:
    """Tell whether the model of a config has no source."""
    return _says(config, "sourceless")


def reads_frames(config: dict[str, Any]) -> bool:
    """Tell whether the sources of a config's model are frames rather than text."""
    model = config.get("model")
    encoder = model.get("encoder") if isinstance(model, dict) else None
    given = encoder.get("input") if isinstance(encoder, dict) else None
    return isinstance(given, dict) and bool(getattr(find(given.get("_target_"), "model.input"), "frames", False))


def writes_frames(config: dict[str, Any]) -> bool:
    """Tell whether the targets of a config's model are frames rather than text."""
    model = config.get("model")
    output = model.get("output") if isinstance(model, dict) else None
    if not isinstance(output, dict) or output.get("_target_") == AUTO:
        return False
    return bool(getattr(find(output.get("_target_"), "model.output"), "frames", False))


def _says(config: dict[str, Any], name: str) -> bool:
    model = config.get("model")
    if not isinstance(model, dict) or is_open(config):
        return False
    return bool(getattr(find(model["_target_"], "model"), name, False))
