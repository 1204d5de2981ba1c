"""Mistakes in what is asked of a tagger, known before there are data."""

from collections.abc import Iterator
from typing import Any

from seq2seq.errors import UserError
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.objective import Objective

_OFF = ("scheduled_sampling", "truncation", "segmentation", "distill")
_MOVES = ("stretch", "shift")  # frames away from their labels


def check_tags(config: dict[str, Any], objective: Objective) -> None:
    """Refuse, by name, what does not go together with a model that writes one label for each position."""
    for problem in _problems(config, objective):
        raise UserError(f"{problem} with model=tagger, which writes one label for each position and reads none.")


def _problems(config: dict[str, Any], objective: Objective) -> Iterator[str]:
    if not isinstance(objective, CrossEntropy):
        yield f"objective must be cross_entropy, but is {type(objective).__name__},"
    for name in ("coverage_loss", "entropy_floor"):
        if value := config["objective"].get(name):
            yield f"objective.{name} must be 0, but is {value},"
    yield from (f"{name} must be none" for name in _OFF if config.get(name) is not None)
    if (given := config.get("augmentation")) is not None:
        if "feature_masks" not in given:
            yield "augmentation must be none, or one of frames,"
        yield from (f"augmentation.{name} must be 0, but is {given[name]}," for name in _MOVES if given.get(name))
    if config["data"].get("alignments"):
        yield "data.alignments must be null"
