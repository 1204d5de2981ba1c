"""Weights of several references of one source in a loss."""

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.data.batch import Batch

OfTokens = Float[Tensor, " tokens"]


@torch.no_grad()
def weights_of(batch: Batch, losses: OfTokens) -> tuple[OfTokens, Tensor]:
    """Weights of the losses of tokens, and what is to be added to their weighted sum.

    With L the losses of the references of a source, each summed over its tokens, `mean` is their mean, `best` the least
    of them (hard EM; of equal ones, their mean), and `log_sum` is -log sum exp(-L): for negative log-likelihoods, that
    of any of the references. The gradient of each is that of the weighted sum: log_sum weighs by exp(-L) / sum exp(-L).
    """
    assert batch.owners is not None, "references are taken together where batches tell whose they are"
    shape = batch.target_outputs.shape
    places = losses.new_zeros(shape.numel()).index_copy(0, batch.target_places, losses)
    of_rows = places.view(shape).sum(1)
    together = batch.owners.unsqueeze(1) == batch.owners  # (row, other)
    weights, more = _of_references(batch.references, of_rows, together)
    return weights[batch.target_places // shape[1]], more


def _of_references(references: str, losses: Tensor, together: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of rows, and what their weighted losses lack."""
    none = losses.new_zeros(())
    if references == "mean":
        return 1.0 / together.sum(1).to(losses), none
    of_others = torch.where(together, losses, float("inf"))
    if references == "best":
        best = (losses == of_others.amin(1)).to(losses)
        return best / (together * best).sum(1), none
    weights = (-of_others).softmax(1).diagonal()
    # The sum of w (L + log w) is -log sum exp(-L), as L + log w is the same for all references of a source.
    return weights, torch.special.xlogy(weights, weights).sum()


def weighed(values: OfTokens, weights: OfTokens | None) -> OfTokens:
    """The values of tokens times their weights, where these are not all 1."""
    return values if weights is None else values * weights
