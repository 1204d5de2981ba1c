"""Interface of an encoder's layers: over whole sequences, and over streams, chunk by chunk."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.scan import scan
from seq2seq.layers.recurrent.state import State, map_state
from seq2seq.masking import length_mask, without_padding
from seq2seq.shapes import Inputs, Lengths, Outputs, RowMask, TimeVectors, Vectors

Steps = Float[Tensor, "rows steps units"]  # what a cell did, in its own order; it may have run over parts of sequences


class RecurrentLayer(nn.Module, ABC):
    """A layer that runs over padded sequences, each within its length."""

    output_size: int

    @property
    @abstractmethod
    def directions(self) -> dict[str, Cell]:
        """Cells by the way they read: forward, backward."""

    @abstractmethod
    def forward(self, inputs: Inputs, lengths: Lengths) -> tuple[Outputs, Vectors]:
        """Outputs of all steps, `batch time hidden`, and the last of every direction, `batch hidden`."""

    def in_order(self, direction: str, steps: Steps, lengths: Lengths) -> TimeVectors:
        """Activations of a cell at every position, `batch time units`, from those at each of its own steps."""
        return steps


class Advanced(NamedTuple):
    """Outputs of a layer for one chunk of every stream, the first `lengths[i]` steps of row i, and its next state.

    Outputs may lag behind what was read: `inputs` are those that they belong to.
    """

    inputs: Inputs
    outputs: Outputs
    lengths: Lengths
    last: Vectors  # of every direction, as of a sequence that ends here
    state: Any


class StreamingLayer(RecurrentLayer):
    """A layer that also reads streams in chunks: however they are cut, outputs and the last state are the same."""

    @abstractmethod
    def start(self, like: Tensor) -> Any:
        """The state before a stream's first step, for a batch as long as `like`, `batch input`."""

    @abstractmethod
    def advance(self, inputs: Inputs, lengths: Lengths, state: Any, ended: RowMask) -> Advanced:
        """Outputs of a chunk, `batch time input`; rows may be of any lengths, 0 too, and some may end with it."""


def unroll_within(cell: Cell, inputs: Inputs, lengths: Lengths, state: State) -> tuple[Outputs, State]:
    """Outputs of a cell, `batch time hidden`, and the state behind each row's own last step; without steps, as before.

    A cell that has no path but the loop over time, or is to take it, stays where a row has ended. Of others, rows of
    one length run together, by the fastest path: kernels return no states from the midst of a sequence.
    """
    counts = lengths.tolist()
    if runs_by_loop(cell) and (longest := max(counts)):
        steps, last = unroll_masked(cell, inputs[:, :longest], lengths, state)
        return functional.pad(steps, (0, 0, 0, inputs.shape[1] - longest)), last
    found = [_unroll(cell, inputs, state, lengths == count, count) for count in sorted(set(counts))]
    if len(found) == 1:
        return found[0][:2]
    outputs, states, rows = zip(*found, strict=True)
    order = torch.cat(rows).argsort()  # (batch,): where each row is now
    return torch.cat(outputs)[order], map_state(lambda *parts: torch.cat(parts)[order], *states)


def runs_by_loop(cell: Cell) -> bool:
    """Tell whether a cell takes the loop over time, as it has no other path or is to show what it does."""
    return type(cell).unroll is Cell.unroll or not cell.fused


def unroll_masked(cell: Cell, inputs: Inputs, lengths: Lengths, state: State) -> tuple[Outputs, State]:
    """Outputs of a cell by the loop, 0 where a row has ended, and the state that each row has then."""
    mask = length_mask(lengths, inputs.shape[1])
    steps, last, _ = scan(cell.sequence(state), cell.project(inputs), state, mask)
    return without_padding(steps, lengths), last


def _unroll(
    cell: Cell, inputs: Inputs, state: State, rows: RowMask, count: int
) -> tuple[Float[Tensor, "rows time hidden"], State, Int[Tensor, " rows"]]:
    """Outputs of some rows over their first steps, zeros behind them, the state there, and the rows' numbers."""
    numbers = rows.nonzero().squeeze(1)
    own = map_state(lambda part: part[numbers], state)
    outputs = inputs.new_zeros(len(numbers), inputs.shape[1], cell.hidden_size)
    if count == 0:
        return outputs, own, numbers
    steps, own = cell.unroll(inputs[numbers, :count], own)
    return torch.cat([steps, outputs[:, count:].to(steps.dtype)], 1), own, numbers
