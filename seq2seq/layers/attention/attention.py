"""Interface of every attention, and the memory it reads."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.layers.entmax import masked_weights
from seq2seq.shapes import (
    AttentionWeights,
    BeamFeatures,
    BeamWeights,
    Context,
    Keys,
    Query,
    SourceMask,
    StepMask,
    Values,
)

AttentionState = tuple[Tensor, ...]  # what a hypothesis remembers of its earlier weights: `batch source` each


class Memory(NamedTuple):
    """Memory of source sentences: values to read, the keys they are found by, and a mask that is True at tokens.

    Where one value stands for several tokens, `shares` holds each token's share of its value's weight. Where attention
    has dropout, `kept` holds the factor of every weight, 0 or 1 / (1 - probability): one for all steps of a target, in
    the manner of DropAttention (Zehui et al. 2019). Weights that are returned or remembered are those before it. Where
    the model copies, `copies` holds what can be copied. Where a target is written while the source is read, `revealed`
    tells what of it each step sees; `waited`, how many tokens the first step does, with one more at each.
    """

    values: Tensor  # batch source memory
    keys: Tensor  # batch source key
    mask: Tensor  # batch source
    shares: tuple[Tensor, ...] = ()  # batch token, or nothing: values are tokens
    kept: tuple[Tensor, ...] = ()  # batch source, or nothing
    copies: tuple[Tensor, ...] = ()  # batch token, and batch token token, or nothing
    waited: tuple[Tensor, ...] = ()  # batch, or nothing: all tokens
    revealed: tuple[Tensor, ...] = ()  # batch target source, or nothing: all steps see all

    @property
    def readable(self) -> StepMask:
        """The mask, `batch 1 source` or `batch target source`, that is True at tokens that a step can see."""
        return self.revealed[0] if self.revealed else self.mask.unsqueeze(1)

    def at(self, step: int) -> "Memory":
        """The memory as one step of a target sees it."""
        return self._replace(revealed=tuple(part[:, step : step + 1] for part in self.revealed))


class Attention(nn.Module, ABC):
    """Attention to a memory: weights over the source for every query, and the context they select.

    Kinds whose weights depend on those of earlier steps carry what they need in a state, a tuple of tensors: `batch
    source` from `start` and into `unroll`, `batch beam source` at a `step`. `unroll` equals repeated `step`.
    `normalizer` says what makes weights of scores, where `normalizes` says that something does.
    """

    normalizes: ClassVar[bool] = True
    everywhere: ClassVar[bool] = True  # whether softmax leaves every token of the source a weight above 0
    attends: ClassVar[bool] = True  # whether contexts say anything of the source
    normalizer: str = "softmax"  # or entmax, by which low scores have no weight at all

    def weights(self, scores: AttentionWeights, mask: StepMask) -> AttentionWeights:
        """Weights from scores, `batch target source`, in float32 (or better), exactly 0 on padding."""
        return masked_weights(self.normalizer, scores, mask)

    @abstractmethod
    def keys(self, values: Values) -> Keys:
        """Keys, `batch source key`: the part of the score that depends on the source alone, found once per sentence."""

    @property
    def source_parts(self) -> tuple[nn.Module, ...]:
        """Parts whose matrices are used once for each value, however many queries there are; others are by query."""
        return ()

    @property
    def pair_parts(self) -> tuple[nn.Module, ...]:
        """Parts whose matrices are used for each value at each query."""
        return ()

    def pair_products(self, memory_size: int) -> int:
        """Multiply-accumulates for each value at each query beside these matrices: to score it, and to read it."""
        return 2 * memory_size

    def remember(self, values: Values, mask: SourceMask) -> Memory:
        """The memory that queries read."""
        return Memory(values, self.keys(values), mask)

    def start(self, memory: Memory) -> AttentionState:
        """The state before the first step; empty, unless a kind looks back."""
        return ()

    def after(self, state: AttentionState, weights: AttentionWeights) -> AttentionState:
        """The state behind steps that began in another and had the given weights, `batch target source`."""
        return state

    def moved(self, state: AttentionState, gone: int, size: int) -> AttentionState:
        """The state, `batch beam source`, over a source whose first positions are gone and that has come to a size."""
        kept = (part[..., gone:] for part in state)
        return tuple(functional.pad(part, (0, size - part.shape[-1])) for part in kept)

    @abstractmethod
    def step(
        self, query: BeamFeatures, memory: Memory, state: AttentionState
    ) -> tuple[Context, BeamWeights, AttentionState]:
        """Contexts `batch beam memory`, weights `batch beam source` and next state, of one step of many hypotheses.

        Hypotheses are side by side and do not see each other.
        """

    def unroll(self, query: Query, memory: Memory, state: AttentionState) -> tuple[Context, AttentionWeights]:
        """Contexts `batch target memory` and weights `batch target source` of all steps of one hypothesis per sentence.

        Steps are taken one after the other, from the state before the first.
        """
        state, steps = tuple(part.unsqueeze(1) for part in state), []
        for step, now in enumerate(query.split(1, 1)):
            *found, state = self.step(now, memory.at(step), state)
            steps.append(found)
        context, weights = (torch.cat(parts, 1) for parts in zip(*steps, strict=True))
        return context, weights


class StatelessAttention(Attention):
    """Attention whose weights depend on the query and the memory alone, so that all steps are one."""

    @abstractmethod
    def forward(self, query: Query, memory: Memory) -> tuple[Context, AttentionWeights]:
        """Contexts `batch target memory` and weights `batch target source` of queries, be they steps or hypotheses."""

    def step(
        self, query: BeamFeatures, memory: Memory, state: AttentionState
    ) -> tuple[Context, BeamWeights, AttentionState]:
        return *self(query, memory), state

    def unroll(self, query: Query, memory: Memory, state: AttentionState) -> tuple[Context, AttentionWeights]:
        return self(query, memory)


class ScoredAttention(StatelessAttention):
    """Attention that is one softmax, or entmax, over the source."""

    @abstractmethod
    def score(self, query: Query, memory: Memory) -> AttentionWeights:
        """Scores that weights are made of, `batch target source`; padding is masked later."""

    def forward(self, query: Query, memory: Memory) -> tuple[Context, AttentionWeights]:
        weights = self.weights(self.score(query, memory), memory.readable)
        return read(weights, memory), weights


def read(weights: AttentionWeights, memory: Memory) -> Context:
    """The mean of the values by their weights, `batch target memory`."""
    weights = with_dropout(weights, memory)
    return torch.bmm(weights.to(memory.values.dtype), memory.values)


def with_dropout(weights: AttentionWeights, memory: Memory) -> AttentionWeights:
    """The weights that values are read by: those of what is dropped are 0, the others larger."""
    for kept in memory.kept:
        weights = weights * kept.unsqueeze(1)  # (batch, target, source) * (batch, 1, source)
    return weights


def nothing_seen(memory: Memory) -> Float[Tensor, "batch source"]:
    """The weights before the first step, all zero, in the type that weights have."""
    dtype = torch.promote_types(memory.values.dtype, torch.float32)
    return torch.zeros_like(memory.mask, dtype=dtype)
