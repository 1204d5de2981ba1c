"""Mistakes in what a config says of language models and of truncated back-propagation, known before there are data."""

from collections.abc import Iterator
from typing import Any

from seq2seq.config.builder import build, told_at
from seq2seq.data.text_batches import TextBatches
from seq2seq.data.truncation import Truncation
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.model_kinds import is_language_model
from seq2seq.runs.run_tokenizers import RunTokenizers
from seq2seq.training.truncated import check_summable

_TEXT = "seq2seq.data.corpora.text.TextCorpus"
_LIKELIHOOD = "seq2seq.training.objectives.cross_entropy.CrossEntropy"
_GREEDY = "seq2seq.decoding.search.greedy.GreedySearch"
_OF_SOURCES = ("length_scores", "samples", "gate_monitor", "vital_signs")  # callbacks
_OF_SEQUENCES = ("max_length", "pool_batches")  # batches
_OFF = ("scheduled_sampling", "augmentation", "segmentation", "distill", "init", "curriculum", "batch_growth")


def check_text(config: dict[str, Any]) -> None:
    """Refuse parts that do not go together: running text, language models, truncation, and what needs a source."""
    build(config.get("truncation"), "truncation")
    if "run" in config["tokenizer"]:
        tokenizer = build(config["tokenizer"], "tokenizer")
        find_checkpoint(tokenizer.run, "tokenizer.run")
        if isinstance(tokenizer, RunTokenizers):
            with told_at("tokenizer", RunTokenizers):
                tokenizer.kept()
    if not is_language_model(config):
        if _target(config, "data") == _TEXT:
            raise UserError("data=text has no sources, which this model reads: choose experiment=language_model.")
        if config.get("truncation") is not None:
            _check_windows(config)
        return
    for problem in (*_problems(config), *_inert(config)):
        raise UserError(f"{problem} with a language model, which has no source: see experiment=language_model.")
    if config.get("truncation") is not None:
        _check_running(config["batches"])


def _check_running(batches: dict[str, Any]) -> None:
    """Refuse what is said of sequences where text is read end to end."""
    for name, default in ((name, getattr(TextBatches(), name)) for name in _OF_SEQUENCES):
        if (value := batches.get(name, default)) != default:
            raise UserError(
                f"batches.{name} has no effect on text that is read end to end, but is {value}: leave it out, or read "
                "each document by itself, with truncation=none; truncation.window says how long windows are."
            )


def _check_windows(config: dict[str, Any]) -> None:
    """Refuse what windows of targets cannot do: they all draw the same, and each is gone back through on the way."""
    if config["truncation"].get("varied"):
        raise UserError("truncation.varied must be false with a source, as windows are those of one target.")
    with told_at("truncation", Truncation):
        check_summable(build(config["objective"], "objective"))
    if config["precision"] == "16-mixed":
        raise UserError("truncation must be none with precision=16-mixed, whose losses are scaled: use bf16-mixed.")
    if config["references"] != "each":
        raise UserError("references must be each with truncation, by which no target is seen whole at once.")
    decoder = config["model"]["decoder"]
    noise = decoder.get("cell", {}).get("regularization") or {}
    drawn = {f"cell.regularization.{name}": noise.get(name) for name in ("zoneout_hidden", "zoneout_cell")}
    for name, value in (drawn | {"attention.noise": (decoder.get("attention") or {}).get("noise")}).items():
        if value:
            raise UserError(f"model.{name} must be 0 with truncation, as it is drawn at every step, but is {value}.")


def _problems(config: dict[str, Any]) -> Iterator[str]:
    for name in _OFF:
        if config.get(name) is not None:
            yield f"{name} must be {'null' if name == 'init' else 'none'}"
    if _target(config, "objective") != _LIKELIHOOD:
        yield "objective must be cross_entropy"
    for name in ("coverage_loss", "entropy_floor"):
        if config["objective"].get(name):
            yield f"objective.{name} must be 0"
    if "parts" in config["data"]:
        yield "data must not be a mixture"
    if config["references"] != "each":
        yield "references must be each"
    if config["metrics"]:
        yield "metrics must be perplexity"
    if config["monitor"]["metric"] != "dev/loss":
        yield "monitor.metric must be dev/loss"


def _inert(config: dict[str, Any]) -> Iterator[str]:
    """Problems with what nothing would come of."""
    for name in _OF_SOURCES:
        if (config["callbacks"] or {}).get(name) is not None:
            yield f"callbacks.{name} must be null"
    if _target(config, "decoding") != _GREEDY:
        yield "decoding must be greedy, as training searches nothing,"


def _target(config: dict[str, Any], part: str) -> Any:
    node = config.get(part)
    return node.get("_target_") if isinstance(node, dict) else None
