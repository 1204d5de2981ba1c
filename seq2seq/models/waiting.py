"""Waiting: a decoder that is trained to write before it has read all of the source."""

from dataclasses import dataclass
from math import inf

import torch

from seq2seq.errors import UserError, check_finite
from seq2seq.layers.attention.attention import Attention, Memory
from seq2seq.layers.attention.hard_monotonic import HardMonotonicAttention
from seq2seq.layers.attention.local import LocalAttention
from seq2seq.shapes import Lengths


@dataclass(frozen=True)
class WaitK:
    """Options of training for wait-k: token t of a target sees the first k + pace (t - 1) of its source, rounded down.

    At a pace of 1 that is wait-k, else wait-k with catch-up, for targets that are not as long as sources, as those of
    frames are (Ma et al. 2019). k is drawn for each batch, between `lowest` and `highest`, so that one model serves all
    of them (Elbayad et al. 2020). Out of training the whole source is seen: a simultaneous reader hands over what it
    has read. Raises UserError if k can be below 1, or there is none, and at a pace that is not above 0.

    >>> import torch
    >>> from seq2seq.models.waiting import WaitK
    >>> WaitK(lowest=3, highest=3).draw(torch.tensor([9, 5]))
    tensor([3, 3])
    """

    lowest: int = 1
    highest: int = 9
    pace: float = 1.0

    def __post_init__(self) -> None:
        if self.lowest < 1:
            raise UserError(f"lowest must be at least 1 token, but is {self.lowest}.")
        if self.highest < self.lowest:
            raise UserError(f"highest must be at least lowest, {self.lowest}, but is {self.highest}.")
        if not 0 < self.pace < inf:
            raise UserError(f"pace must be above 0 tokens and finite, but is {self.pace}.")
        check_finite(pace=self.pace)

    def draw(self, lengths: Lengths) -> Lengths:
        """The tokens of each source that are read before the first of its target is written, `batch`."""
        return torch.randint(self.lowest, self.highest + 1, (1,), device=lengths.device).expand_as(lengths)


def check_attention(attention: Attention) -> None:
    """Check that an attention can read a source that is still to grow. Raises UserError if not."""
    if isinstance(attention, LocalAttention):
        raise UserError(
            "attention must not be local where waiting is on, as its window stands at a share of the whole length: "
            "choose another attention."
        )
    if not attention.attends:
        raise UserError(
            "attention must not be none where waiting is on, as nothing would be read after the first words."
        )
    if isinstance(attention, HardMonotonicAttention):
        raise UserError("waiting must be none for a transducer, which reads a token only when it moves on to it.")


def revealed(memory: Memory, waited: Lengths, count: int, pace: float = 1.0) -> Memory:
    """The memory as the first `count` steps of targets see it, `pace` tokens more at each."""
    steps = torch.arange(count, device=waited.device, dtype=torch.double).mul(pace).long()  # whole tokens, as `ready`
    positions = torch.arange(memory.mask.shape[1], device=waited.device)
    # (source,) < (batch, 1, 1) + (target, 1) = (batch, target, source)
    seen = positions < waited[:, None, None] + steps.unsqueeze(1)
    return memory._replace(revealed=(seen & memory.mask.unsqueeze(1),))
