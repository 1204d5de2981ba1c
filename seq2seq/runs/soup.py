"""Mean weights of several models that began alike."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from seq2seq.config.options import flat
from seq2seq.errors import UserError

logger = logging.getLogger(__name__)
_FEW_ZEROS = 0.001  # a share of weights; that of zeros can differ by this much without pruning, by chance

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
    """Raise UserError where checkpoints are not of one model with the same pieces: their weights mean other things.

    So do those of a pruned run beside those of one that is not.
    """
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
    dense, sparse = (
        [path for path, own in zip(paths, checkpoints, strict=True) if _pruned(own) is kind] for kind in (False, True)
    )
    if dense and sparse:
        raise UserError(
            f"run must name runs that are all pruned, or none of them, but {sparse[0]} is and {dense[0]} is not: their "
            "mean would have none of the zeros. Leave one out, or average before you prune."
        )


def zero_share(weights: Weights) -> float:
    """The share of the numbers in matrices that are zero."""
    matrices = [weight for weight in weights.values() if weight.is_floating_point() and weight.dim() > 1]
    return sum(int((matrix == 0).sum()) for matrix in matrices) / max(1, sum(matrix.numel() for matrix in matrices))


def tell_of_lost_zeros(checkpoints: Mapping[str, Mapping[str, Any]], mean: Weights) -> None:
    """Warn where the mean of pruned runs, by path, has lost some of their zeros, as these lay elsewhere in each."""
    shares = {path: zero_share(own["weights"]) for path, own in checkpoints.items() if _pruned(own)}
    if not shares:
        return
    most, left = max(shares, key=shares.__getitem__), zero_share(mean)
    if shares[most] - left > _FEW_ZEROS:
        logger.warning(
            "the mean has %.1f %% of its weights in matrices at zero, where %s has %.1f %%: runs that were pruned "
            "apart have other zeros; prune the mean, or average before you prune",
            *(100 * left, most, 100 * shares[most]),
        )


def _pruned(checkpoint: Mapping[str, Any]) -> bool:
    """Tell whether single weights of a run were pruned."""
    return checkpoint["config"].get("pruning") is not None


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
