"""A decoder whose recurrence is fed the context that attention found."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import nn

from seq2seq.layers.attention.attention import Memory
from seq2seq.layers.attention.score_tapes import recorded, score_tape
from seq2seq.layers.frame_embedding import Embedder
from seq2seq.layers.linear import initialize_linear
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.connections import PlainConnection, ResidualConnection
from seq2seq.layers.recurrent.layers import build_layers
from seq2seq.layers.recurrent.recomputing import recomputed
from seq2seq.layers.recurrent.scan import Step
from seq2seq.layers.recurrent.state import LSTMState, State
from seq2seq.models.decoder import Decoder, DecoderOptions, States, Unrolled
from seq2seq.models.fed_loop import FedLayer, FedLoop, FedOutputs
from seq2seq.precise import product_type
from seq2seq.shapes import (
    AttentionWeights,
    BeamFeatures,
    BeamWeights,
    BeamWritten,
    Context,
    Inputs,
    Outputs,
    Written,
)


class Feed(nn.Linear):
    """The context's part of what the bottom cell projects, whose input is [embedding; context].

    It is added to the projection: with layer normalisation behind the norm, and with a mogrifier to the embedding.
    """

    def __init__(self, memory_size: int, projected_size: int) -> None:
        super().__init__(memory_size, projected_size, bias=False)
        initialize_linear(self)

    def step(self, cell: Cell, inputs: BeamFeatures, context: Context, state: State) -> State:
        """The cell's next state from both parts of its input."""
        return cell(cell.project(inputs) + self(context), state)[0]


class BahdanauDecoder(Decoder):
    """Recurrent layers whose steps are fed the context that the state before found (Bahdanau et al. 2015, any cell).

    Input feeding makes every step wait for the one before, so `unroll` loops; what does not depend on the context is
    projected for all steps at once. `connection` is none, residual, highway or dense, from the second layer on.
    """

    whole_target = False
    asks_before = True

    def __init__(
        self,
        *,
        embedding: Embedder,
        memory_size: int,
        options: DecoderOptions,
        num_layers: int = 1,
        connection: str | Sequence[str] = "none",
    ) -> None:
        super().__init__(embedding, options)
        self.cells, self.connections = build_layers(
            options.cell, embedding.size, options.hidden_size, num_layers, connection=connection, around_bottom=False
        )
        self.attention = options.new_attention(memory_size)
        self.feed = Feed(memory_size, self.cells.bottom.projected_size)
        self.readout = options.new_readout(memory_size)

    @property
    def layers(self) -> Sequence[Cell]:
        return list(self.cells)

    def step(self, ids: BeamWritten, memory: Memory, states: States) -> tuple[BeamFeatures, BeamWeights, States]:
        bottom: Layer = partial(self.feed.step, self.cells.bottom, self.embedding(ids))
        run = [bottom, *(cell.step for cell in list(self.cells)[1:])]
        hidden, context, weights, states = self._step(run, memory, states, self._masks(states))
        return self.readout(hidden, context), weights, states

    @property
    def recordable(self) -> bool:
        """Tell whether gradients are found by the loop that has them written out; else autograd finds them."""
        cells = all(isinstance(cell, LSTMCell) and cell.recordable for cell in self.cells)
        joined = all(isinstance(each, PlainConnection | ResidualConnection) for each in self.connections)
        return cells and joined and type(self.feed) is Feed and score_tape(self.attention) is not None

    def unroll(self, ids: Written, memory: Memory, states: States) -> Unrolled:
        run = self._record if torch.is_grad_enabled() and self.recordable else self._unroll
        if self.cells.bottom.recomputes:  # layers take turns at every step, so all of them together
            return recomputed(run, ids, memory, states)
        return run(ids, memory, states)

    def _record(self, ids: Written, memory: Memory, states: States) -> Unrolled:
        """Outputs of `_unroll`, by the loop that leaves no graph; noise is drawn in the same order."""
        cells, kind = cast(Sequence[LSTMCell], self.layers), product_type(memory.values)
        recurrent = [cell.recurrent(state.hidden) for cell, state in zip(cells, states.layers, strict=True)]
        dropped, bottom = self._masks(states.of_one_hypothesis()), cells[0]
        offsets = [bottom.offsets(self.embedding(ids).transpose(0, 1)), *(cell.bias for cell in cells[1:])]
        inputs = [self.feed.weight, *(cell.input_weight for cell in cells[1:])]
        layers = [
            FedLayer(torch.cat([own.weight, fed], 1).to(kind), offset.to(kind), *state)
            for own, fed, offset, state in zip(recurrent, inputs, offsets, states.layers, strict=True)
        ]
        tape: Any = score_tape(self.attention)
        residual = [
            isinstance(each, ResidualConnection) and bool(below.shape[1] == each.size)
            for each, below in zip(self.connections, inputs, strict=True)
        ]
        locked, masks = [mask.squeeze(1) for mask in dropped], [own.mask for own in recurrent]
        loop = FedLoop(tape, self.attention.normalizer, memory.readable, memory.kept, locked, masks, residual)
        scored = [part.to(kind) for part in recorded(self.attention, memory)]
        return self._joined(loop(layers, memory.values.to(kind), scored), dropped, states)

    def _joined(self, found: FedOutputs, dropped: list[Outputs], states: States) -> Unrolled:
        """Features and what else comes of the loop, batch first."""
        context = hidden = found.contexts.transpose(0, 1)
        outputs = [each.transpose(0, 1) for each in found.hidden]
        for connection, each, mask in zip(self.connections, outputs, dropped, strict=True):
            hidden = connection(hidden, each * mask)
        last = (LSTMState(each[-1], memory) for each, memory in zip(found.hidden, found.memories, strict=True))
        after = States(tuple(last), states.attention)
        return Unrolled(self.readout(hidden, context), found.weights.transpose(0, 1), hidden, outputs[-1], after)

    def _unroll(self, ids: Written, memory: Memory, states: States) -> Unrolled:
        states = states.of_one_hypothesis()
        first, *upper = [cell.sequence(state) for cell, state in zip(self.cells, states.layers, strict=True)]
        run = [_projecting(cell, step) for cell, step in zip(list(self.cells)[1:], upper, strict=True)]
        masks, steps = self._masks(states), []
        for number, projected in enumerate(self.cells.bottom.project(self.embedding(ids)).split(1, 1)):
            bottom = self._feeding(first, projected)
            *step, states = self._step([bottom, *run], memory.at(number), states, masks)
            steps.append((*step, states.layers[-1].hidden))
        hidden, context, weights, undropped = (torch.cat(parts, 1) for parts in zip(*steps, strict=True))
        return Unrolled(self.readout(hidden, context), weights, hidden, undropped, states.of_sentences())

    def _feeding(self, step: Step, projected: Inputs) -> "Layer":
        return lambda context, state: step(projected + self.feed(context), state)[0]

    def _masks(self, states: States) -> list[Outputs]:
        return [self.dropout.mask(state.hidden) for state in states.layers]

    def _step(
        self, run: Sequence["Layer"], memory: Memory, states: States, masks: list[Outputs]
    ) -> tuple[Outputs, Context, AttentionWeights, States]:
        """The top hidden state, context, weights and states after one token; the bottom layer runs on the context."""
        top = states.layers[-1].hidden
        context, weights, attention = self.attention.step(top, memory, states.attention)
        hidden, stepped = context, []
        for layer, connection, state, mask in zip(run, self.connections, states.layers, masks, strict=True):
            stepped.append(layer(hidden, state))
            hidden = connection(hidden, stepped[-1].hidden * mask)
        return hidden, context, weights, States(tuple(stepped), attention)


Layer = Callable[[Inputs, State], State]


def _projecting(cell: Cell, step: Step) -> Layer:
    return lambda inputs, state: step(cell.project(inputs), state)[0]


def path(decoder: Decoder) -> str:
    """Name of the way over targets in training: whole target, recorded loop (its gradients written out), or loop."""
    if decoder.whole_target:
        return "whole target"
    return "recorded loop" if isinstance(decoder, BahdanauDecoder) and decoder.recordable else "loop"
