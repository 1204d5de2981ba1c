"""Decoders from target prefix and memory to features of the next token: one step, or a whole target at once."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import nn

from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Attention, AttentionState, Memory
from seq2seq.layers.dropout import LockedDropout
from seq2seq.layers.entmax import NORMALIZERS
from seq2seq.layers.frame_embedding import Embedder
from seq2seq.layers.recurrent.cells.cell import Cell, Cells
from seq2seq.layers.recurrent.layers import build_layers
from seq2seq.layers.recurrent.recomputing import unroll
from seq2seq.layers.recurrent.state import State, StateLayout, map_state
from seq2seq.models.readout import Readout
from seq2seq.models.waiting import WaitK, check_attention
from seq2seq.shapes import (
    AttentionWeights,
    BeamFeatures,
    BeamWeights,
    BeamWritten,
    Context,
    Features,
    Inputs,
    Outputs,
    SourceMask,
    Values,
    Written,
)


class States(NamedTuple):
    """State that one step of a decoder hands the next: that of each layer, bottom first, and of its attention."""

    layers: tuple[State, ...]
    attention: AttentionState

    def of_one_hypothesis(self) -> "States":
        """States of one hypothesis of each sentence, `batch 1 ...`, from those of sentences, `batch ...`."""
        layers = tuple(map_state(lambda part: part.unsqueeze(1), state) for state in self.layers)
        return States(layers, tuple(part.unsqueeze(1) for part in self.attention))

    def of_sentences(self) -> "States":
        """States of sentences, `batch ...`, from those of the one hypothesis of each, `batch 1 ...`."""
        layers = tuple(map_state(lambda part: part.squeeze(1), state) for state in self.layers)
        return States(layers, tuple(part.squeeze(1) for part in self.attention))


class Unrolled(NamedTuple):
    """Features, weights and outputs of whole targets, `batch target ...`: at each token, of the one after it."""

    features: Features
    weights: AttentionWeights
    outputs: Outputs  # of the top layer, as the readout reads them
    undropped: Outputs  # of the top cell, before dropout and what joins it
    states: States  # behind the last token


@dataclass(frozen=True)
class DecoderOptions:
    """Options of every decoder: of its layers and of what attends.

    `attention_normalizer` makes weights of scores: softmax, or 1.5-entmax, with exact zeros (Peters et al. 2019).
    With `waiting`, training shows each step only the beginning of the source.
    """

    hidden_size: int
    feature_size: int
    cell: Callable[[int, int], Cell]
    attention: Callable[..., Attention]
    dropout: float = 0.3
    attention_dropout: float = 0.0
    attention_normalizer: str = "softmax"
    waiting: WaitK | None = None

    def __post_init__(self) -> None:
        if self.attention_normalizer not in NORMALIZERS:
            raise UserError(
                f"attention_normalizer must be one of {', '.join(NORMALIZERS)}, but is {self.attention_normalizer!r}."
            )

    def new_attention(self, memory_size: int) -> Attention:
        """Attention of the hidden states of one layer to a memory."""
        attention = self.attention(query_size=self.hidden_size, memory_size=memory_size)
        if self.attention_normalizer != "softmax" and not attention.normalizes:
            raise UserError(
                f"attention_normalizer must be softmax for {type(attention).__name__}, which normalises no scores, "
                f"but is {self.attention_normalizer}: choose another attention."
            )
        attention.normalizer = self.attention_normalizer
        if self.waiting is not None:
            check_attention(attention)
        return attention

    def new_readout(self, memory_size: int) -> Readout:
        """The readout of one layer's hidden states and the context."""
        return Readout(self.hidden_size, memory_size, self.feature_size, dropout=self.dropout)


class Decoder(nn.Module, ABC):
    """An attention decoder; `unroll` gives what repeated `step` gives.

    A step takes many hypotheses of each sentence side by side, `batch beam`, and they share one memory: to attention
    they are as many queries. States of `step` are `batch beam hidden`, those that `unroll` starts from `batch hidden`.
    """

    # Whether `unroll` runs each layer over the whole target, because no context enters the recurrence that finds it.
    whole_target: ClassVar[bool] = True
    asks_before: ClassVar[bool] = False  # whether attention is asked by the top layer's state before a step
    attention: Attention
    readout: Readout
    waiting: WaitK | None = None

    def __init__(self, embedding: Embedder, options: DecoderOptions) -> None:
        super().__init__()
        self.waiting = options.waiting
        self.embedding = embedding
        self.feature_size = options.feature_size
        self.dropout = LockedDropout(options.dropout)
        self.attention_dropout = LockedDropout(options.attention_dropout, "attention_dropout")

    @property
    @abstractmethod
    def layers(self) -> Sequence[Cell]:
        """The cells, bottom first."""

    @property
    def layouts(self) -> list[StateLayout]:
        """Layouts of the state of every layer."""
        return [cell.layout for cell in self.layers]

    def remember(self, values: Values, mask: SourceMask) -> Memory:
        """The memory that `step` and `unroll` attend to; while training, parts of it may be dropped for the target."""
        memory = self.attention.remember(values, mask)
        if not self.training or self.attention_dropout.probability == 0:
            return memory
        return memory._replace(kept=(self.attention_dropout.mask(torch.ones_like(mask, dtype=torch.float32)),))

    @abstractmethod
    def step(self, ids: BeamWritten, memory: Memory, states: States) -> tuple[BeamFeatures, BeamWeights, States]:
        """Features of each next token, `batch beam feature`, weights, `batch beam source`, and the next states."""

    @abstractmethod
    def unroll(self, ids: Written, memory: Memory, states: States) -> Unrolled:
        """Features, weights and outputs of what follows each of `ids`, from the states before the first."""


class LuongDecoder(Decoder):
    """Recurrent layers, then attention from the top one (Luong et al. 2015, without input feeding).

    The context never enters the recurrence, so each layer runs over a whole target at once (`connection`: see Encoder).
    """

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
            options.cell, embedding.size, options.hidden_size, num_layers, connection=connection, around_bottom=True
        )
        self.attention = options.new_attention(memory_size)
        self.readout = options.new_readout(memory_size)

    @property
    def layers(self) -> Sequence[Cell]:
        return list(self.cells)

    def step(self, ids: BeamWritten, memory: Memory, states: States) -> tuple[BeamFeatures, BeamWeights, States]:
        hidden, stepped = self.embedding(ids), []
        for cell, connection, state in zip(self.cells, self.connections, states.layers, strict=True):
            stepped.append(cell.step(hidden, state))
            hidden = connection(hidden, self.dropout(stepped[-1].hidden))
        context, weights, attention = self.attention.step(hidden, memory, states.attention)
        return self.readout(hidden, context), weights, States(tuple(stepped), attention)

    def unroll(self, ids: Written, memory: Memory, states: States) -> Unrolled:
        hidden, after = self.embedding(ids), []
        for cell, connection, state in zip(self.cells, self.connections, states.layers, strict=True):
            undropped, state = unroll(cell, hidden, state)
            after.append(state)
            hidden = connection(hidden, self.dropout(undropped))
        context, weights = self.attention.unroll(hidden, memory, states.attention)
        last = States(tuple(after), self.attention.after(states.attention, weights))
        return Unrolled(self.readout(hidden, context), weights, hidden, undropped, last)


Run = Callable[[Cell, Inputs, State], tuple[Outputs, State]]  # of a layer: one step, or all of them


def _one_step(cell: Cell, inputs: Inputs, state: State) -> tuple[Outputs, State]:
    state = cell.step(inputs, state)
    return state.hidden, state


class GNMTDecoder(Decoder):
    """Recurrent layers whose bottom one attends; its context joins the input of every upper one at the same step.

    After Wu et al. 2016 as in NVIDIA's GNMT v2: residual from the third layer on, and no loop over time.
    """

    def __init__(self, *, embedding: Embedder, memory_size: int, options: DecoderOptions, num_layers: int = 2) -> None:
        super().__init__(embedding, options)
        if num_layers < 2:
            raise UserError(f"num_layers of a gnmt decoder must be at least 2, but is {num_layers}.")
        cell, size = options.cell, options.hidden_size
        self.bottom = cell(embedding.size, size)
        self.upper = Cells(cell(size + memory_size, size) for _ in range(num_layers - 1))
        self.attention = options.new_attention(memory_size)
        self.readout = options.new_readout(memory_size)

    @property
    def layers(self) -> Sequence[Cell]:
        return [self.bottom, *self.upper]

    def step(self, ids: BeamWritten, memory: Memory, states: States) -> tuple[BeamFeatures, BeamWeights, States]:
        bottom = self.bottom.step(self.embedding(ids), states.layers[0])
        hidden = self.dropout(bottom.hidden)
        context, weights, attention = self.attention.step(hidden, memory, states.attention)
        top, _, upper = self._upper_layers(hidden, context, states, _one_step)
        return self.readout(top, context), weights, States((bottom, *upper), attention)

    def unroll(self, ids: Written, memory: Memory, states: States) -> Unrolled:
        outputs, bottom = unroll(self.bottom, self.embedding(ids), states.layers[0])
        hidden = self.dropout(outputs)
        context, weights = self.attention.unroll(hidden, memory, states.attention)
        top, undropped, upper = self._upper_layers(hidden, context, states, unroll)
        last = States((bottom, *upper), self.attention.after(states.attention, weights))
        return Unrolled(self.readout(top, context), weights, top, undropped, last)

    def _upper_layers(
        self, hidden: Outputs, context: Context, states: States, run: Run
    ) -> tuple[Outputs, Outputs, list[State]]:
        """Outputs of the top layer from those of the bottom one, its cell's, and the layers' states after them."""
        after = []
        for depth, (cell, state) in enumerate(zip(self.upper, states.layers[1:], strict=True)):
            outputs, state = run(cell, torch.cat([hidden, context], -1), state)
            after.append(state)
            hidden = self.dropout(outputs) + hidden if depth > 0 else self.dropout(outputs)
        return hidden, outputs, after
