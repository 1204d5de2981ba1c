"""Mean weights of several models that began alike."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from seq2seq.config.options import flat
from seq2seq.errors import UserError

Weights = Mapping[str, Tensor]


def mean_weights(members: Sequence[Weights]) -> dict[str, Tensor]:
    """The mean of each weight; whole numbers are the first member's."""
    return {
        name: torch.stack([member[name].double() for member in members]).mean(0).to(first.dtype)
        if first.is_floating_point()
        else first
        for name, first in members[0].items()
    }


def greedy_soup(
    members: Sequence[Weights], scores: Sequence[float], score: Callable[[Weights], float], *, higher: bool
) -> list[int]:
    """Numbers of members to take: each joins, best first, if the mean is then no worse (Wortsman et al. 2022)."""
    sign = 1.0 if higher else -1.0
    first, *others = sorted(range(len(members)), key=lambda number: -sign * scores[number])
    chosen, best = [first], scores[first]
    for number in others:
        found = score(mean_weights([members[one] for one in [*chosen, number]]))
        if sign * found >= sign * best:
            chosen, best = [*chosen, number], found
    return chosen


def refuse_unlike(paths: Sequence[str], checkpoints: Sequence[Mapping[str, Any]]) -> None:
    """Raise UserError where checkpoints are not of one model with the same pieces: their weights mean other things."""
    first = checkpoints[0]
    for path, other in zip(paths[1:], checkpoints[1:], strict=True):
        if differing := _difference(_model(first["config"]), _model(other["config"])):
            raise UserError(
                f"run must name runs of one model, but {path} differs from {paths[0]} in {', '.join(differing[:3])}."
            )
        for side, pieces in first["tokenizers"].items():
            if not torch.equal(pieces, other["tokenizers"][side]):
                raise UserError(
                    f"run must name runs with the same tokenizers, but the {side} pieces of {path} are not those of "
                    f"{paths[0]}."
                )


def _model(config: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a model that its weights depend on."""
    trained = ("dropout", "regularization")
    return {
        key: value
        for key, value in flat(config["model"]).items()
        if not isinstance(value, dict) and not set(trained) & set(key.split("."))
    }


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [f"model.{key}" for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)]
