"""The one loop over time: the path of every cell that torch has no kernel for, and the reference of those it has."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.layers.recurrent.state import State, map_state
from seq2seq.shapes import Outputs, TimeMask

Step = Callable[[Tensor, State], tuple[State, Any]]


def scan(
    step: Step,
    projected: Float[Tensor, "batch time gates"],
    state: State,
    mask: TimeMask | None = None,
    *,
    keep_gates: bool = False,
) -> tuple[Outputs, State, list[Any]]:
    """Hidden states `batch time hidden`, final state and, if kept, gates of each step.

    A state stays where its mask is False.
    """
    outputs, history = [], []
    for time, inputs in enumerate(projected.unbind(1)):  # (batch, gates) each
        stepped, gates = step(inputs, state)
        # A mask of (batch, 1) chooses between states of (batch, hidden) and of (batch, cell).
        state = stepped if mask is None else _keep(mask[:, time : time + 1], stepped, state)
        outputs.append(state.hidden)
        if keep_gates:  # several times as large as what goes on
            history.append(gates)
    return torch.stack(outputs, 1), state, history


def _keep(mask: TimeMask, stepped: State, state: State) -> State:
    return map_state(lambda new, old: torch.where(mask, new, old), stepped, state)
