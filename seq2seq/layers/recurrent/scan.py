"""The one loop over time: the reference path of every cell."""

import torch

from seq2seq.layers.recurrent.cells import Cell, LSTMGates, LSTMState
from seq2seq.shapes import Inputs, Outputs, TimeMask


def scan(cell: Cell, inputs: Inputs, state: LSTMState, mask: TimeMask) -> tuple[Outputs, LSTMState, list[LSTMGates]]:
    """Hidden states, final state and every step's gates; where the mask is False the state stays as it was."""
    outputs, history = [], []
    for projected, keep in zip(cell.project(inputs).unbind(1), mask.unbind(1), strict=True):
        stepped, gates = cell(projected, state)
        state = LSTMState(*(torch.where(keep.unsqueeze(1), new, old) for new, old in zip(stepped, state, strict=True)))
        outputs.append(state.hidden)
        history.append(gates)
    return torch.stack(outputs, 1), state, history
