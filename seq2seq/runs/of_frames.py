"""Runs whose sources are frames: what they cannot do is refused, by name."""

from collections.abc import Iterator
from typing import Any

from seq2seq.config.closed_table import find
from seq2seq.config.contract import targets
from seq2seq.data.augmentation.frame_augmentation import FrameAugmentation
from seq2seq.data.examples import Splits
from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.series import Series
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError
from seq2seq.runs.model_kinds import is_open, reads_frames, writes_edits

_OF_TEXT = ("segmentation", "distill", "carry", "init")
_OBJECTIVES = ("minimum_risk", "self_critical", "imitation", "distillation")  # which look at texts of sources


def check_frames(config: dict[str, Any]) -> None:
    """Raise UserError at what a config asks for that frames cannot have; nothing where sources are text."""
    if reads_frames(config):
        for problem in _problems(config):
            raise UserError(f"{problem} with model/input=frames, whose sources are no text.")


def _problems(config: dict[str, Any]) -> Iterator[str]:
    if is_open(config) or writes_edits(config):
        yield "model must be bahdanau, luong or gnmt"
    if config["model"].get("ngrams") is not None:
        yield "model.ngrams must be none"
    for name in _OF_TEXT:
        if config.get(name) is not None:
            yield f"{name} must be {'null' if name == 'init' else 'none'}"
    if (given := config.get("augmentation")) is not None and not _changes_frames(given):
        yield "augmentation must be none, or change frames, as spec_augment, frame_noise or frames does,"
    kinds = [str(node["_target_"]).split(".")[-2] for _, node in targets(config["objective"], "objective")]
    if of_text := [kind for kind in kinds if kind in _OBJECTIVES]:
        yield f"objective must not be {of_text[0]}"
    if (config.get("curriculum") or {}).get("difficulty", "length") != "length":
        yield "curriculum.difficulty must be length"
    if "parts" in config["data"]:
        yield "data must not be a mixture"


def _changes_frames(node: dict[str, Any]) -> bool:
    kind = find(node.get("_target_"), "augmentation")
    return isinstance(kind, type) and issubclass(kind, FrameAugmentation)


def check_sources(config: dict[str, Any], splits: Splits) -> None:
    """Raise UserError where data give text and the model reads frames, or the other way round."""
    given = next((isinstance(example.source, Series) for example in splits.train), None)
    if given is None or given == reads_frames(config):
        return
    if given:
        raise UserError("model.input must be frames, as data give series of frames: add model/input=frames.")
    raise UserError(
        "data must give series of frames, which model/input=frames reads, but give text: choose data=npz, ts, "
        "csv_frames or wav, or model/input=tokens."
    )


def refuse_frames(tokenizers: Tokenizers, path: Any, what: str) -> None:
    """Raise UserError, naming what was asked for, where a run reads frames."""
    if isinstance(tokenizers.source, FrameReader):
        raise UserError(
            f"{what} reads text, but run={path} reads frames: score them by evaluate, or translate arrays from Python."
        )
