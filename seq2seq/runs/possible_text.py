"""Mistakes in what a config says of language models and of truncated back-propagation, known before there are data."""

from collections.abc import Iterator
from typing import Any

from seq2seq.config.builder import build
from seq2seq.errors import UserError
from seq2seq.runs.run import LoadedRun

_MODEL = "seq2seq.models.language_model.LanguageModel"
_TEXT = "seq2seq.data.corpora.text.TextCorpus"
_LIKELIHOOD = "seq2seq.training.objectives.cross_entropy.CrossEntropy"
_OFF = ("scheduled_sampling", "augmentation", "segmentation", "distill", "init")


def is_language_model(config: dict[str, Any]) -> bool:
    """Tell whether a config is of a language model."""
    return _target(config, "model") == _MODEL


def refuse_language_model(run: LoadedRun, path: Any, what: str) -> None:
    """Raise UserError, naming what was asked for, where a run is a language model."""
    if is_language_model(run.config):
        raise UserError(f"{what} needs a model with a source, but run={path} is a language model: give another run.")


def check_text(config: dict[str, Any]) -> None:
    """Refuse parts that do not go together: running text, language models, truncation, and what needs a source."""
    build(config.get("truncation"), "truncation")
    if not is_language_model(config):
        if _target(config, "data") == _TEXT:
            raise UserError("data=text has no sources, which this model reads: choose experiment=language_model.")
        return
    for problem in _problems(config):
        raise UserError(f"{problem} with a language model, which has no source: see experiment=language_model.")


def _problems(config: dict[str, Any]) -> Iterator[str]:
    for name in _OFF:
        if config.get(name) is not None:
            yield f"{name} must be {'null' if name == 'init' else 'none'}"
    if _target(config, "objective") != _LIKELIHOOD:
        yield "objective must be cross_entropy"
    for name in ("coverage_loss", "entropy_floor"):
        if config["objective"].get(name):
            yield f"objective.{name} must be 0"
    if config["metrics"]:
        yield "metrics must be perplexity"
    if config["monitor"]["metric"] != "dev/loss":
        yield "monitor.metric must be dev/loss"


def _target(config: dict[str, Any], part: str) -> Any:
    node = config.get(part)
    return node.get("_target_") if isinstance(node, dict) else None
