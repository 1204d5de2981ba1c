"""Sentences on a run that has ended, where its numbers say that something may be wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

_IDEAL = {"max": 100.0, "min": 0.0}
_SENTENCES = 2
_OUT_OF_REACH = 0.05  # of the references
_FEW_NATS = 0.1  # losses that are nearer to each other are alike
_STILL, _LATE = 0.1, 0.75  # of all that a score gained; after this share of the budget


@dataclass(frozen=True)
class Validation:
    """Numbers of a validation. Losses are in nats per target token, that of train a mean of the steps before it."""

    step: int
    spent: float  # share of the budget
    train_loss: float
    dev_loss: float
    score: float


@dataclass(frozen=True)
class Goal:
    """The score that the best checkpoint was chosen by, and the limit that ended training, as a user sets it."""

    monitor: str
    mode: str
    limit: str


def verdict(validations: Sequence[Validation], goal: Goal, *, out_of_reach: float = 0.0) -> list[str]:
    """Sentences on what looks wrong, two at most and the gravest first; none where nothing does.

    `out_of_reach` is the share of dev references that no output can equal.
    """
    if not validations:
        return []
    found = (
        _reach(out_of_reach),
        _no_movement(validations, goal),
        _overfitting(validations),
        _early_best(validations, goal),
        "" if _overfitting(validations) else _still_better(validations, goal),
    )
    return [sentence for sentence in found if sentence][:_SENTENCES]


def _reach(share: float) -> str:
    if share < _OUT_OF_REACH:
        return ""
    return (
        f"{100 * share:.0f} % of the dev references are what no output can equal, as was said at the start: look at "
        "the tokenizer and at decoding.length."
    )


def _no_movement(validations: Sequence[Validation], goal: Goal) -> str:
    scores = {one.score for one in validations}
    if len(validations) < 3 or len(scores) > 1 or scores == {_IDEAL[goal.mode]}:
        return ""
    return (
        f"{goal.monitor} was {validations[0].score:.2f} at every validation, and chose no checkpoint: look at the "
        "samples; another monitor.metric may suit these texts, or more steps."
    )


def _overfitting(validations: Sequence[Validation]) -> str:
    last = validations[-1]
    if not (last.train_loss < last.dev_loss / 2 and last.dev_loss - last.train_loss > _FEW_NATS):
        return ""
    return (
        f"The loss of train at the end, {last.train_loss:.2f}, is far below that of dev, {last.dev_loss:.2f}: more "
        "model.dropout, a shorter budget or more data may help."
    )


def _early_best(validations: Sequence[Validation], goal: Goal) -> str:
    best = _best(validations, goal)
    if len(validations) < 4 or best.spent >= 0.5 or len({one.score for one in validations}) == 1:
        return ""
    return (
        f"{goal.monitor} was best after {100 * best.spent:.0f} % of the budget, {best.score:.2f}, and is "
        f"{validations[-1].score:.2f} now: {goal.limit} can be lower, or model.dropout higher."
    )


def _still_better(validations: Sequence[Validation], goal: Goal) -> str:
    if len(validations) < 3 or _best(validations, goal) is not validations[-1]:
        return ""
    first, last = validations[0].score, validations[-1].score
    before = [one.score for one in validations[:-1] if one.spent <= _LATE][-1:] or [first]
    if last == before[0] or abs(last - before[0]) < _STILL * abs(last - first):
        return ""
    return (
        f"{goal.monitor} was still getting better at the end, from {before[0]:.2f} to {last:.2f} in the last quarter: "
        f"a higher {goal.limit} may help."
    )


def _best(validations: Sequence[Validation], goal: Goal) -> Validation:
    """The first validation with the best score."""
    return (max if goal.mode == "max" else min)(validations, key=lambda one: one.score)
