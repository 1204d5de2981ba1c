"""Noise inside the recurrence."""

from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.state import State, map_state


@dataclass(frozen=True)
class Regularization:
    """Zoneout, weight drop and recurrent dropout, each the probability of a unit's or weight's being left out.

    Zoneout (Krueger et al. 2017) leaves units of the hidden state, or of the cell, as they were a step before, drawn
    anew every step; out of training the state is the expectation. Weight drop (Merity et al. 2018) sets recurrent
    weights to zero, drawn once for all sentences of a batch and all their steps. Recurrent dropout (Gal & Ghahramani
    2016, equation 7) is of the units that recurrent weights read, U (m h), with one mask m for all steps of a sentence,
    0 or 1 / (1 - p); what is kept from step to step is not masked. Raises UserError outside [0, 1).
    """

    zoneout_hidden: float = 0.0
    zoneout_cell: float = 0.0
    weight_drop: float = 0.0
    recurrent_dropout: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < 1:
                raise UserError(f"{name} must be at least 0 and below 1, but is {value}.")

    def check(self, parts: int) -> None:
        """Check that a state of so many parts has each part that an option is for. Raises UserError if not."""
        if self.zoneout_cell > 0 and parts == 1:
            raise UserError(
                f"regularization must leave zoneout_cell at 0 for a cell without a memory beside its hidden state, "
                f"but has {self.zoneout_cell}: use zoneout_hidden."
            )

    @property
    def zoneout(self) -> bool:
        """Tell whether units are left out."""
        return self.zoneout_hidden > 0 or self.zoneout_cell > 0

    def mask(self, hidden: Tensor) -> Tensor:
        """A mask of the units that recurrent weights read, for all steps of a pass that begins with a hidden state."""
        keep = 1 - self.recurrent_dropout
        return torch.empty_like(hidden).bernoulli_(keep).div_(keep)

    def zone_out(self, stepped: State, state: State, *, training: bool) -> State:
        """The state after a step, part of it as it was before."""
        rates = iter((self.zoneout_hidden, self.zoneout_cell))
        return map_state(lambda new, old: _mix(new, old, next(rates), training=training), stepped, state)


PLAIN = Regularization()


def _mix(new: Tensor, old: Tensor, rate: float, *, training: bool) -> Tensor:
    if rate == 0:
        return new
    if not training:
        return torch.lerp(new, old.to(new.dtype), rate)
    return torch.where(torch.rand_like(new) < rate, old, new)
