"""The latency-controlled bidirectional layer, which reads streams some steps behind them."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional

from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.layer import Advanced, Steps, StreamingLayer, unroll_within
from seq2seq.layers.recurrent.pending import Pending
from seq2seq.layers.recurrent.recomputing import unroll
from seq2seq.layers.recurrent.state import State
from seq2seq.masking import last_within, reversal, reverse_within
from seq2seq.shapes import Inputs, Lengths, Outputs, RowMask, TimeVectors, Vectors

BlockLengths = Int[Tensor, " rows"]  # one for each block of each sentence


class BlockwiseState(NamedTuple):
    """State of both directions between two chunks of a stream."""

    ahead: State  # of the forward cell, behind the last block that is done
    waiting: Pending  # inputs of blocks that are not
    back: Tensor  # batch half: the backward cell's output at the first step of the last block


class BlockwiseLayer(StreamingLayer):
    """Two cells, the backward one block by block (Zhang et al. 2016, "latency-controlled"; Xue & Yan 2017).

    A block is `block_size` steps, and the backward cell reads it from `lookahead` steps behind its end, where it starts
    from zero; the forward cell goes on from block to block. So an output waits for at most block_size + lookahead - 1
    later steps, and the backward direction costs 1 + lookahead / block_size times as much. With a block as long as the
    sequence it is the bidirectional layer. Its last output is that at the first step of the last block.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        cell: Callable[[int, int], Cell],
        block_size: int,
        lookahead: int,
    ) -> None:
        super().__init__()
        self.output_size = 2 * hidden_size
        self.forwards = cell(input_size, hidden_size)
        self.backwards = cell(input_size, hidden_size)
        self.block_size, self.lookahead = block_size, lookahead

    @property
    def directions(self) -> dict[str, Cell]:
        return {"forward": self.forwards, "backward": self.backwards}

    def forward(self, inputs: Inputs, lengths: Lengths) -> tuple[Outputs, Vectors]:
        ahead = unroll(self.forwards, inputs, self.forwards.start(inputs))[0]
        back = self._backward(inputs, lengths)
        last = torch.cat([last_within(ahead, lengths), self._of_last_block(back, lengths)], -1)
        return torch.cat([ahead, back], -1), last

    def in_order(self, direction: str, steps: Steps, lengths: Lengths) -> TimeVectors:
        if direction == "forward":
            return steps
        blocks = len(steps) // len(lengths)
        return self._from_blocks(steps, self._block_lengths(lengths, blocks), blocks)[:, : int(lengths.max())]

    def start(self, like: Tensor) -> BlockwiseState:
        back = like.new_zeros(len(like), self.backwards.hidden_size)
        return BlockwiseState(self.forwards.start(like), Pending.none(like), back)

    def advance(self, inputs: Inputs, lengths: Lengths, state: BlockwiseState, ended: RowMask) -> Advanced:
        read = state.waiting.before(inputs, lengths)
        whole = (read.lengths - self.lookahead).clamp(min=0) // self.block_size * self.block_size
        done = torch.where(ended, read.lengths, whole)  # (batch,)
        steps = read.values[:, : int(done.max())]
        ahead, after = unroll_within(self.forwards, steps, done, state.ahead)
        back = self._backward(read.values, read.lengths)[:, : steps.shape[1]]
        newest = state.back
        if steps.shape[1]:
            found = self._of_last_block(back, done.clamp(min=1))
            newest = torch.where((done > 0).unsqueeze(1), found.to(newest.dtype), newest)
        left = BlockwiseState(after, read.after(done), newest)
        last = torch.cat([after.hidden, newest], -1)
        return Advanced(steps, torch.cat([ahead, back], -1), done, last, left)

    def read_again(self, lengths: Lengths) -> Lengths:
        """The number of steps, `batch`, that the backward cell takes beyond one for each position, of rows alone."""
        blocks = -(-lengths // self.block_size)
        return blocks * lengths.clamp(max=self.block_size + self.lookahead) - lengths

    def _backward(self, inputs: Inputs, lengths: Lengths) -> Outputs:
        """Outputs of the backward cell, `batch time half`, from all blocks at once."""
        time = inputs.shape[1]
        if time == 0:
            return inputs.new_zeros(*inputs.shape[:2], self.backwards.hidden_size)
        blocks = -(-time // self.block_size)
        width = min(self.block_size + self.lookahead, time)  # of a block and what is behind it
        padded = functional.pad(inputs, (0, 0, 0, (blocks - 1) * self.block_size + width - time))
        # (batch, time, input) -> (batch, block, input, width) -> (batch * block, width, input)
        windows = padded.unfold(1, width, self.block_size).transpose(2, 3).flatten(0, 1)
        within = self._block_lengths(lengths, blocks).clamp(max=width)
        windows = reverse_within(windows, reversal(within, width))
        steps = unroll(self.backwards, windows, self.backwards.start(windows))[0]
        return self._from_blocks(steps, within, blocks)[:, :time]

    def _block_lengths(self, lengths: Lengths, blocks: int) -> BlockLengths:
        """Numbers of steps of each block and what is behind it, `batch * block`, perhaps none."""
        starts = torch.arange(blocks, device=lengths.device) * self.block_size
        # (batch, 1) - (block,) = (batch, block)
        return (lengths.unsqueeze(1) - starts).clamp(0, self.block_size + self.lookahead).flatten()

    def _from_blocks(self, steps: Steps, within: BlockLengths, blocks: int) -> TimeVectors:
        """Activations of the backward cell at each position, from those at its own steps, a row for each block."""
        width = steps.shape[1]
        ordered = reverse_within(steps, reversal(within.clamp(max=width), width))[:, : self.block_size]
        # (batch * block, size, units) -> (batch, block, size, units) -> (batch, block * size, units)
        return ordered.unflatten(0, (-1, blocks)).flatten(1, 2)

    def _of_last_block(self, back: Outputs, lengths: Lengths) -> Vectors:
        """The backward outputs at the first step of each row's last block."""
        return last_within(back, (lengths - 1) // self.block_size * self.block_size + 1)
