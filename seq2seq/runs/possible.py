"""The config of a run as some data would settle it, and what is wrong with that whatever the data are."""

from typing import Any

from seq2seq.config.builder import build, told_at
from seq2seq.config.contract import check, check_counts, check_seed
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.errors import UserError
from seq2seq.models.blank import blank
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.automatic import nominal
from seq2seq.runs.fitting import check_fit
from seq2seq.runs.model_kinds import AUTO, is_open
from seq2seq.runs.of_frames import check_frames
from seq2seq.runs.open_model import NAMES, with_model
from seq2seq.runs.possible_mixture import refuse_mixture
from seq2seq.runs.possible_text import check_text
from seq2seq.runs.possible_training import (
    check_augmentation,
    check_distill,
    check_objective,
    check_pacing,
    check_segmentation,
)
from seq2seq.runs.run import text_form
from seq2seq.symbols import EOS
from seq2seq.training.threads import check_threads

_COUNTS = ("max_tokens", "max_sentences", "max_length", "pool_batches")
_TRAINING = ("objective", "schedule", "scheduled_sampling", "gradients", "gradient_noise", "pruning")
_PIECES = 1 << 22  # of a vocabulary, whatever it will be: more than any has


def checked(config: dict[str, Any]) -> dict[str, Any]:
    """The config as some data would settle it. Raises UserError at what no data could make right.

    Of a model that is left open, one that is possible.
    """
    check_frames(config)
    if is_open(config):
        return _checked(with_model(config, next(name for name, why in misfits(config).items() if why is None)))
    return _checked(config)


def misfits(config: dict[str, Any]) -> dict[str, str | None]:
    """The mistake in each model that a config leaves open; None where it is possible.

    Raises UserError where neither is.
    """
    found = {name: _misfit(config, name) for name in NAMES}
    first, *others = found.values()
    if first is not None and all(others):
        told = [f"{name} as {why.rstrip('.')}" for name, why in found.items() if why]
        same = all(own == first for own in others)
        raise UserError(first if same else f"model=auto can choose neither {'; nor '.join(told)}.")
    return found


def _misfit(config: dict[str, Any], name: str) -> str | None:
    try:
        possible = _checked(chosen := with_model(config, name))
        check_fit(possible, possible_model(possible, chosen))
    except UserError as error:
        return str(error)
    return None


def _checked(config: dict[str, Any]) -> dict[str, Any]:
    check_seed(config)
    given = _without_auto(config)
    check(given)
    counts = {f"batches.{name}": given["batches"].get(name, 1) for name in _COUNTS}
    if given["batches"].get("max_dev_examples") is not None:
        counts["batches.max_dev_examples"] = given["batches"]["max_dev_examples"]
    if "accumulate_grad_batches" in given["trainer"]:
        counts["trainer.accumulate_grad_batches"] = given["trainer"]["accumulate_grad_batches"]
    check_counts(counts, **dict.fromkeys(counts, 1))
    check_threads(config["threads"])
    build({"max_steps": 1} | given["budget"], "budget")
    _check_choices(config["monitor"]["mode"], config["trainer"]["val_check_interval"])
    check(possible := nominal(config))
    for part in _TRAINING:
        build(possible.get(part), part)
    check_text(possible)
    _check_tokens(possible)
    _check_vocabularies(possible["model"], joint=config["tokenizer"].get("joint"))
    possible_model(possible, config)
    check_objective(possible, metrics=config["metrics"])
    check_distill(config.get("distill"))
    check_augmentation(possible)
    check_pacing(given)
    check_segmentation(possible, config)
    refuse_mixture(config)
    return possible


def possible_model(possible: dict[str, Any], asked: dict[str, Any]) -> Seq2Seq:
    """The model as it would be on some vocabulary, no smaller than what was asked for gives, without memory.

    Raises UserError at what its parts refuse.
    """
    kind, size = (asked["tokenizer"].get(name) for name in ("target", "target_size"))
    pieces = size if kind in ("unigram", "bpe") and type(size) is int and size > EOS + 1 else _PIECES
    with blank("meta"):
        return build(possible["model"], "model")(source_vocabulary_size=pieces, target_vocabulary_size=pieces)


def _check_tokens(config: dict[str, Any]) -> None:
    """Build the form of text, and what learns tokenizers or takes those of a run, which the form must suit."""
    form, trainer = text_form(config), build(config["tokenizer"], "tokenizer")
    if isinstance(trainer, TokenizerTrainer):
        with told_at("tokenizer", TokenizerTrainer):
            trainer.check_form(form)


def _check_choices(mode: Any, interval: Any) -> None:
    if mode not in ("max", "min", AUTO):
        raise UserError(f"monitor.mode must be auto, max or min, but is {mode!r}.")
    whole = type(interval) is int or (isinstance(interval, float) and interval.is_integer())
    if not whole and interval != AUTO:
        raise UserError(
            f"trainer.val_check_interval must be a whole number of steps, such as 500, but is {interval!r}."
        )


def _without_auto(config: Any) -> Any:
    """The config without what data have a say in."""
    if isinstance(config, dict):
        return {key: _without_auto(value) for key, value in config.items() if value != AUTO}
    return config


def _check_vocabularies(model: dict[str, Any], *, joint: Any) -> None:
    if model.get("share_embeddings") and joint is False:
        raise UserError(
            "model.share_embeddings needs one vocabulary for both sides, but tokenizer.joint is false: make it true."
        )
