"""Lengths, masks (True where there is a token) and operations that respect them."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from seq2seq.precise import precise
from seq2seq.shapes import Inputs, Lengths, SourceMask, StepMask, TimeMask, TimeVectors, Vectors


def length_mask(lengths: Lengths, size: int) -> TimeMask:
    """The mask, `batch time`, that is True at the first `lengths[i]` of `size` positions."""
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(1)


def shortened(lengths: Lengths, steps: int) -> Lengths:
    """Lengths after every `steps` positions have become one, the last of them perhaps of fewer."""
    return (lengths + steps - 1) // steps


def without_padding(values: TimeVectors, lengths: Lengths) -> TimeVectors:
    """The values, `batch time size`, with 0 at every position past a sequence's length."""
    return values.masked_fill(~length_mask(lengths, values.shape[1]).unsqueeze(-1), 0)


def masked_softmax(
    scores: Float[Tensor, "batch target source"], mask: SourceMask | StepMask
) -> Float[Tensor, "batch target source"]:
    """Softmax of `batch target source` scores over the source, in float32 (or better), exactly 0 on padding."""
    return masked(scores, mask).softmax(-1)


def masked(
    scores: Float[Tensor, "batch target source"], mask: SourceMask | StepMask
) -> Float[Tensor, "batch target source"]:
    """Scores, in float32 (or better), minus infinity where a mask of sources, or of each of their steps, is False."""
    return precise(scores).masked_fill(~(mask if mask.dim() == 3 else mask.unsqueeze(1)), float("-inf"))


def last_within(values: TimeVectors, lengths: Lengths) -> Vectors:
    """The vectors, `batch size`, at position `length - 1` of every sequence."""
    return values[torch.arange(len(values), device=values.device), lengths - 1]


def reversal(lengths: Lengths, size: int) -> Int[Tensor, " rows"]:
    """Row numbers of a flattened `batch time` with every sequence reversed within its length; padding stays."""
    positions = torch.arange(size, device=lengths.device)
    mirrored = lengths.unsqueeze(1) - 1 - positions
    mirrored = torch.where(mirrored < 0, positions, mirrored)
    starts = torch.arange(len(lengths), device=lengths.device).unsqueeze(1) * size
    return (starts + mirrored).flatten()


class _PermuteRows(torch.autograd.Function):
    """Reorders rows by a permutation that is its own inverse, so the gradient takes the same fast path."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, permutation: Tensor) -> Tensor:
        ctx.save_for_backward(permutation)
        return rows.index_select(0, permutation)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (permutation,) = ctx.saved_tensors
        return gradient.index_select(0, permutation), None


def reverse_within(values: TimeVectors, permutation: Int[Tensor, " rows"]) -> TimeVectors:
    """The values, `batch time size`, with every sequence reversed by the row numbers that `reversal` gives."""
    return _PermuteRows.apply(values.reshape(-1, values.shape[-1]), permutation).view(values.shape)


def token_shares(tokens: SourceMask, reduction: int, dtype: torch.dtype) -> Float[Tensor, "batch source"]:
    """Shares of the tokens in the weight of their position: as much for each one there."""
    width = tokens.shape[1]
    together = functional.pad(tokens, (0, -width % reduction)).unflatten(1, (-1, reduction))
    shares = together / together.sum(-1, keepdim=True).clamp(min=1).to(torch.promote_types(dtype, torch.float32))
    return shares.flatten(1)[:, :width]


def side_by_side(values: Inputs, lengths: Lengths, steps: int) -> Float[Tensor, "batch fewer wider"]:
    """Vectors of `steps` neighbours side by side, `batch fewer wider`; the last of a sequence may end in zeros."""
    values = without_padding(values, lengths)
    full = functional.pad(values, (0, 0, 0, -values.shape[1] % steps))  # (batch, fewer * steps, size)
    return full.unflatten(1, (-1, steps)).flatten(2)  # (batch, fewer, steps * size)
