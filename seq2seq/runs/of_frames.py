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
from seq2seq.runs.model_kinds import is_open, reads_frames, writes_edits, writes_frames

_OF_TEXT = ("segmentation", "distill", "carry", "init")
_LIKELIHOOD = "seq2seq.training.objectives.cross_entropy.CrossEntropy"
_SMOOTHING = 0.1  # where an objective does not say
_GREEDY = "seq2seq.decoding.search.greedy.GreedySearch"
_ERRORS = "seq2seq.metrics.forecast.ForecastErrors"
_OF_TOKENS = ("perplexity", "samples", "gate_monitor", "vital_signs", "loss_watch")  # callbacks
_OBJECTIVES = ("minimum_risk", "self_critical", "imitation", "distillation")  # which look at texts of sources


def check_frames(config: dict[str, Any]) -> None:
    """Raise UserError at what a config asks for that frames cannot have; nothing where sources are text."""
    if writes_frames(config):
        for problem in _written_problems(config):
            raise UserError(f"{problem} with targets that are frames: see experiment=forecast.")
    check_metrics(config, config["metrics"])
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
    elif given is not None and (writes_frames(config) or config["model"].get("input", {}).get("time_unit") is not None):
        yield "augmentation must be none where targets are frames, or gaps in time are read,"
    kinds = [str(node["_target_"]).split(".")[-2] for _, node in targets(config["objective"], "objective")]
    if of_text := [kind for kind in kinds if kind in _OBJECTIVES]:
        yield f"objective must not be {of_text[0]}"
    if (config.get("curriculum") or {}).get("difficulty", "length") != "length":
        yield "curriculum.difficulty must be length"
    if "parts" in config["data"]:
        yield "data must not be a mixture"


def _written_problems(config: dict[str, Any]) -> Iterator[str]:
    """Problems with targets that are frames: nothing is searched, and nothing that is said is a text."""
    if not reads_frames(config):
        yield "model.input must be frames"
    yield from (f"{name} must be none" for name in ("scheduled_sampling", "truncation") if config.get(name) is not None)
    if config["precision"] in ("bf16-true", "16-true"):
        yield "precision must be 32-true, bf16-mixed or 16-mixed, which keep what is to be written whole,"
    objective = config["objective"]
    if objective.get("_target_") != _LIKELIHOOD:
        yield "objective must be cross_entropy"
    if objective.get("label_smoothing", _SMOOTHING):
        yield "objective.label_smoothing must be 0"
    if config["references"] == "log_sum":
        yield "references must be each, mean or best"
    if config["decoding"].get("_target_") != _GREEDY:
        yield "decoding must be greedy, as nothing is searched,"
    yield from (f"callbacks.{name} must be null" for name in _OF_TOKENS if (config["callbacks"] or {}).get(name))


def check_metrics(config: dict[str, Any], metrics: Any) -> None:
    """Raise UserError at metrics of text where a config's targets are frames, and the other way round."""
    kinds = {str(node["_target_"]) for _, node in targets(metrics, "metrics")}
    if writes_frames(config) and kinds - {_ERRORS}:
        raise UserError("metrics must be forecast with targets that are frames: see experiment=forecast.")
    if _ERRORS in kinds and not writes_frames(config):
        raise UserError(
            "metrics must not be forecast where model.output writes text: choose others, or model/output=gaussian or "
            "huber where targets are frames."
        )


def _changes_frames(node: dict[str, Any]) -> bool:
    kind = find(node.get("_target_"), "augmentation")
    return isinstance(kind, type) and issubclass(kind, FrameAugmentation)


def check_sources(config: dict[str, Any], splits: Splits) -> None:
    """Raise UserError where data give text and the model is of frames, or the other way round, on either side."""
    _check_targets(config, splits)
    given = next((isinstance(example.source, Series) for example in splits.train), None)
    if given is None or given == reads_frames(config):
        return
    if given:
        raise UserError("model.input must be frames, as data give series of frames: add model/input=frames.")
    raise UserError(
        "data must give series of frames, which model/input=frames reads, but give text: choose data=npz, ts, "
        "csv_frames or wav, or model/input=tokens."
    )


def _check_targets(config: dict[str, Any], splits: Splits) -> None:
    kinds = {isinstance(target, Series) for example in splits.train for target in example.targets}
    if len(kinds) > 1:
        raise UserError("data must give targets of one kind, but some are frames and some are text.")
    if not kinds or kinds == {writes_frames(config)}:
        return
    if True in kinds:
        raise UserError("model.output must be gaussian or huber, as targets are frames: choose experiment=forecast.")
    raise UserError(
        "data must give targets that are frames, which model.output writes, but they are text: give data.horizon, "
        "targets that are numbers, or another model/output."
    )


def refuse_forecaster(config: dict[str, Any], path: Any, what: str) -> None:
    """Raise UserError, naming what was asked for, where a run writes frames."""
    if writes_frames(config):
        raise UserError(f"{what} needs a run that writes text, but run={path} writes frames: use forecast.")


def refuse_frames(tokenizers: Tokenizers, path: Any, what: str, instead: str) -> None:
    """Raise UserError, naming what was asked for and what there is instead, where a run reads frames."""
    if isinstance(tokenizers.source, FrameReader):
        raise UserError(f"{what} reads text, but run={path} reads frames: {instead}.")
