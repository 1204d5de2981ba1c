"""The config of a run as some data would settle it, and what is wrong with that whatever the data are."""

from typing import Any

import torch

from seq2seq.config.builder import build, told_at
from seq2seq.config.contract import check, check_counts
from seq2seq.data.augmentation.augmentation import Augmentation
from seq2seq.errors import UserError
from seq2seq.metrics.risk import Risk
from seq2seq.runs.automatic import AUTO, nominal
from seq2seq.runs.evaluation import build_scores
from seq2seq.runs.teachers import check_teachers
from seq2seq.training.objectives.distillation import Distillation, parts_of
from seq2seq.training.objectives.late import LateObjective
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.objectives.sampled import SampledObjective

_LARGEST_SEED = (1 << 32) - 1  # of NumPy
_COUNTS = ("max_tokens", "max_sentences", "max_length", "pool_batches")
_PIECES = 100  # of a vocabulary, whatever it will be


def checked(config: dict[str, Any]) -> dict[str, Any]:
    """The config as some data would settle it. Raises UserError at what no data could make right."""
    _check_seed(config["seed"])
    given = _without_auto(config)
    check(given)
    counts = {f"batches.{name}": given["batches"].get(name, 1) for name in _COUNTS}
    check_counts(counts, **dict.fromkeys(counts, 1))
    build({"max_steps": 1} | given["budget"], "budget")
    _check_choices(config["monitor"]["mode"], config["trainer"]["val_check_interval"])
    check(possible := nominal(config))
    _check_objective(possible, metrics=config["metrics"])
    _check_distill(config.get("distill"))
    _check_augmentation(possible)
    _check_model(possible["model"], joint=config["tokenizer"].get("joint"))
    return possible


def _check_choices(mode: Any, interval: Any) -> None:
    if mode not in ("max", "min", AUTO):
        raise UserError(f"monitor.mode must be max or min, but is {mode!r}.")
    if type(interval) not in (int, float) and interval != AUTO:
        raise UserError(f"trainer.val_check_interval must be a number of steps, but is {interval!r}.")


def _without_auto(config: Any) -> Any:
    """The config without what data have a say in."""
    if isinstance(config, dict):
        return {key: _without_auto(value) for key, value in config.items() if value != AUTO}
    return config


def _check_objective(config: dict[str, Any], *, metrics: Any) -> None:
    """Build the objective, and refuse what would come too early, or judge by what there is not."""
    objective = build(config["objective"], "objective")
    if not isinstance(objective, Objective):
        raise UserError("objective must be built by a class of Objective, but is not.")
    if isinstance(objective, LateObjective) and objective.start == 0 and config["init"] is None:
        raise UserError(
            "objective.start must be above 0 where training starts from nothing, as a model that knows nothing learns "
            "nothing from what it says: give init=RUN, or leave start at a share of the budget."
        )
    for part in parts_of(objective):
        if isinstance(part, LateObjective) and part is not objective:
            raise UserError(
                f"objective must be {type(part).__name__} itself, with {type(objective).__name__} as its base: the "
                "other way round it would never begin."
            )
        if isinstance(part, SampledObjective) and isinstance(metrics, dict):
            with told_at("objective", type(part)):
                Risk(build_scores(config), part.risk)
        if isinstance(part, Distillation):
            check_teachers(part.teachers, "objective.teachers")


def _check_distill(node: dict[str, Any] | None) -> None:
    """Refuse teachers and sources that are not there."""
    if node is not None:
        wanted = build(node, "distill")
        check_teachers(wanted.teachers, "distill.teachers")
        wanted.check()


def _check_augmentation(config: dict[str, Any]) -> None:
    """Build the augmentation, and refuse a tag that no tokenizer would know."""
    augmentation = build(config.get("augmentation"), "augmentation")
    if augmentation is not None and config["init"] is None:  # whose tokenizers may know more
        check_tag(augmentation, config)


def check_tag(augmentation: Any, config: dict[str, Any]) -> None:
    """Check that a tag is one of the tokenizer's symbols. Raises UserError if not, and at what is no augmentation."""
    if not isinstance(augmentation, Augmentation):
        raise UserError("augmentation must be built by a class of Augmentation, but is not.")
    tag = getattr(augmentation, "tag", None)
    if tag is not None and tag not in config["tokenizer"]["symbols"]:
        raise UserError(
            f"augmentation.tag must be one of tokenizer.symbols, but {tag!r} is none: add "
            f"\"tokenizer.symbols=['{tag}']\", or set it to null."
        )


def _check_model(node: dict[str, Any], *, joint: Any) -> None:
    """Build the model as it would be on some vocabulary, without memory, for what its constructors refuse."""
    if node.get("share_embeddings") and joint is False:
        raise UserError(
            "model.share_embeddings needs one vocabulary for both sides, but tokenizer.joint is false: make it true."
        )
    with torch.device("meta"):
        build(node, "model")(source_vocabulary_size=_PIECES, target_vocabulary_size=_PIECES)


def _check_seed(seed: Any) -> None:
    if type(seed) is not int or not 0 <= seed <= _LARGEST_SEED:
        raise UserError(f"seed must be a whole number from 0 to {_LARGEST_SEED}, but is {seed!r}.")
