"""Pruning of single weights, which become zero."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from seq2seq.compression.method import Described, Method, Reduced
from seq2seq.errors import UserError

Masks = Mapping[str, Bool[Tensor, "..."]]  # True where a weight stays, by its name


class MagnitudePruning(Method):
    """Zeros in the place of a `share` of all weights in matrices, those that are nearest to zero.

    One threshold is for all matrices, "class-blind" (See et al. 2016); biases and other vectors stay. The model keeps
    its sizes, and its file compresses better. Raises UserError at a share that leaves nothing or removes nothing.
    """

    def __init__(self, *, share: float = 0.8) -> None:
        check_share("share", share)
        self.share = share

    def __call__(self, whole: Described) -> Reduced:
        masks = masks_of(whole.model, self.share)
        weights = dict(whole.model.state_dict())
        for name, weight in whole.model.named_parameters(remove_duplicate=False):
            if (mask := masks.get(first_name(whole.model, weight))) is not None:
                weights[name] = weight.detach() * mask
        zeros, numbers = sum(int((~mask).sum()) for mask in masks.values()), sum(map(torch.numel, masks.values()))
        said = f"set {zeros:,} of {numbers:,} weights in matrices to zero, {100 * zeros / numbers:.1f} %"
        return Reduced(dict(whole.config), weights, said, sparse=True)


def check_share(name: str, share: float) -> None:
    """Raise UserError at a share that leaves no weight, or removes none."""
    if not 0 < share < 1:
        raise UserError(f"{name} must be above 0 and below 1, which would leave no weight, but is {share}.")


def first_name(model: nn.Module, weight: Tensor) -> str:
    """The name that a weight has first in a model, where parts share it."""
    return next(name for name, own in model.named_parameters() if own is weight)


@torch.no_grad()
def masks_of(model: nn.Module, share: float) -> dict[str, Tensor]:
    """Masks of a model's matrices, False at the share of all their weights that is nearest to zero."""
    matrices = {name: weight.detach() for name, weight in model.named_parameters() if weight.dim() > 1}
    sizes = torch.cat([weight.abs().flatten().float() for weight in matrices.values()])
    count = int(share * len(sizes))
    threshold = sizes.kthvalue(count).values if count else -1.0
    return {name: weight.abs().float() > threshold for name, weight in matrices.items()}
