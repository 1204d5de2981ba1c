"""Small attentions of every kind, and something to attend to."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import signatures  # noqa: F401  before anything of ours is imported
import torch
from torch import Tensor

from seq2seq.config.places import CONF
from seq2seq.layers.attention.attention import Attention, AttentionState, Memory
from seq2seq.layers.attention.dot import DotAttention
from seq2seq.masking import length_mask

STATEFUL = ["location", "coverage", "monotonic"]
KINDS = sorted(path.stem for path in (CONF / "model" / "attention").glob("*.yaml") if path.stem != "none")
QUERY_SIZE, MEMORY_SIZE = 4, 6
LENGTHS = torch.tensor([5, 2, 1])
TARGET = 4


class Given(NamedTuple):
    """Queries of three sentences and what they read."""

    query: Tensor
    values: Tensor
    mask: Tensor


@pytest.fixture
def build(attention_kind) -> Callable[..., Attention]:
    """An attention of a kind; sizes of query and memory differ wherever the kind allows that."""

    def _build(kind: str, **options) -> Attention:
        torch.manual_seed(2)
        memory_size = QUERY_SIZE if kind in ("dot", "scaled_dot") else MEMORY_SIZE
        attention = attention_kind(kind)(query_size=QUERY_SIZE, memory_size=memory_size, **options)
        with torch.no_grad():
            for weight in attention.parameters():
                weight.add_(0.3 * torch.randn_like(weight))  # biases that are not 0, and weights far from even
        return attention

    return _build


@pytest.fixture(params=[*KINDS, *(f"{kind} by entmax" for kind in KINDS if kind != "monotonic")])
def attention(request, build) -> Attention:
    kind, _, normalizer = request.param.partition(" by ")
    attention = build(kind)
    if normalizer:
        attention.normalizer = normalizer
    return attention


@pytest.fixture(params=STATEFUL)
def looking_back(request, build) -> Attention:
    """An attention with a state."""
    return build(request.param)


@pytest.fixture
def given() -> Callable[..., Given]:
    """Queries, values and mask for an attention."""

    def _given(attention: Attention, dtype: torch.dtype = torch.float32) -> Given:
        memory_size = QUERY_SIZE if isinstance(attention, DotAttention) else MEMORY_SIZE
        query = 2 * torch.randn(len(LENGTHS), TARGET, QUERY_SIZE, dtype=dtype)
        values = torch.randn(len(LENGTHS), int(LENGTHS.max()), memory_size, dtype=dtype)
        return Given(query, values, length_mask(LENGTHS, values.shape[1]))

    return _given


@pytest.fixture
def steps() -> Callable[..., tuple[Tensor, Tensor, list[AttentionState]]]:
    """Contexts, weights and states after every step of one hypothesis of each sentence."""

    def _steps(attention: Attention, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor, list[AttentionState]]:
        state, contexts, weights, states = one_hypothesis(attention.start(memory)), [], [], []
        for now in query.split(1, 1):
            context, looked, state = attention.step(now, memory, state)
            contexts.append(context)
            weights.append(looked)
            states.append(state)
        return torch.cat(contexts, 1), torch.cat(weights, 1), states

    return _steps


def one_hypothesis(state: AttentionState) -> AttentionState:
    return tuple(part.unsqueeze(1) for part in state)
