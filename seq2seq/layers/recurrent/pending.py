"""Steps of streams that were read and still wait for what comes after them."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from seq2seq.shapes import Inputs, Lengths, RowMask


class Pending(NamedTuple):
    """Steps that wait, `batch time input`: the first `lengths[i]` of row i."""

    values: Tensor
    lengths: Tensor

    @classmethod
    def none(cls, like: Tensor) -> "Pending":
        """An empty queue for every row of a batch as long as `like`, `batch input`."""
        lengths = torch.zeros(len(like), dtype=torch.long, device=like.device)
        return cls(like.new_zeros(len(like), 0, like.shape[-1]), lengths)

    def before(self, values: Inputs, lengths: Lengths) -> "Pending":
        """Steps that wait, and behind them the first `lengths[i]` of each row of some more."""
        both = torch.cat([self.values, values], 1)
        total = self.lengths + lengths
        places = torch.arange(int(total.max()), device=lengths.device)  # (time,)
        gap = self.values.shape[1] - self.lengths.unsqueeze(1)  # (batch, 1) + (time,) = (batch, time)
        return Pending(_at(both, places + gap * (places >= self.lengths.unsqueeze(1))), total)

    def after(self, taken: Lengths) -> "Pending":
        """Steps that wait once the first `taken[i]` of each row are gone."""
        left = self.lengths - taken
        places = torch.arange(int(left.max()), device=taken.device) + taken.unsqueeze(1)  # (batch, time)
        return Pending(_at(self.values, places), left)

    def of(self, keep: Tensor) -> "Pending":
        """Steps of the rows that are to keep theirs, `batch`, none of the others."""
        return self._replace(lengths=self.lengths * keep)


def _at(values: Tensor, places: Tensor) -> Tensor:
    """Values at places of each row, `batch time`; a place beyond the last is padding and gets some value."""
    if values.shape[1] == 0:
        return values
    rows = torch.arange(len(values), device=values.device).unsqueeze(1)
    return values[rows, places.clamp(max=values.shape[1] - 1)]


def renewed(fresh: Any, old: Any, rows: RowMask) -> Any:
    """A state of streams, a nest of tensors or Pending with the batch first, that is fresh in some rows, `batch`."""
    if isinstance(old, Pending):
        return old.of(~rows)
    if isinstance(old, Tensor):
        return torch.where(rows.view(-1, *[1] * (old.dim() - 1)), fresh, old)
    parts = [renewed(*each, rows) for each in zip(fresh, old, strict=True)]
    return type(old)(*parts) if hasattr(old, "_fields") else tuple(parts)
