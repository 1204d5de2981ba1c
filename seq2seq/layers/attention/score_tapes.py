"""Scores of attention that are recorded by one who takes their gradients by hand."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.layers.attention.additive import AdditiveScore
from seq2seq.layers.attention.attention import Attention, Memory, ScoredAttention
from seq2seq.layers.attention.dot import DotAttention
from seq2seq.layers.attention.general import GeneralAttention
from seq2seq.precise import precise

Scores = Float[Tensor, "batch source"]
AllScores = Float[Tensor, "time batch source"]
Queries = Float[Tensor, "time batch query"]


@runtime_checkable
class ScoreGradients(Protocol):
    """Gradients of recorded scores, gathered step by step in any order."""

    def step(self, time: int, of_scores: Scores) -> Float[Tensor, "batch query"]:
        """The gradient of a step's query."""

    def of_given(self, of_scores: AllScores, queries: Queries) -> tuple[Tensor, ...]:
        """Gradients of the tensors that the tape was made of, from all steps at once."""


class AdditiveTape(NamedTuple):
    """Record of v . tanh(W query + b + key) at every step."""

    keys: Float[Tensor, "batch source size"]
    weight: Float[Tensor, "size query"]
    bias: Float[Tensor, " size"]
    vector: Float[Tensor, " size"]
    activations: Float[Tensor, "time batch source size"]

    @classmethod
    def blank(cls, steps: int, keys: Tensor, weight: Tensor, bias: Tensor, vector: Tensor) -> "AdditiveTape":
        """A tape of so many steps that are still to be taken."""
        return cls(keys, weight, bias, vector, keys.new_empty(steps, *keys.shape))

    def score(self, time: int, query: Float[Tensor, "batch query"]) -> Scores:
        """Scores of a step."""
        projected, found = torch.addmm(self.bias, query, self.weight.t()), self.activations[time]
        torch.add(projected.unsqueeze(1), self.keys, out=found).tanh_()
        return torch.mv(found.flatten(0, 1), self.vector).view(found.shape[:2])

    def kept(self) -> "AdditiveTape":
        """The tape with what gradients are made of."""
        return self._replace(keys=self.keys.new_empty(0, 0, 0))

    def gradients(self) -> ScoreGradients:
        """The gradients that the steps of the tape are gathered into, so far without any."""
        return AdditiveGradients(self)


class AdditiveGradients:
    """Gradients of additive scores."""

    def __init__(self, tape: AdditiveTape) -> None:
        self.tape = tape
        steps, batch, _, size = tape.activations.shape
        self.of_keys = torch.zeros_like(precise(tape.activations[0]))
        self.of_projected = tape.activations.new_empty(steps, batch, size)

    def step(self, time: int, of_scores: Scores) -> Float[Tensor, "batch query"]:
        """The gradient of a step's query."""
        tape = self.tape
        of_sums = of_scores.to(tape.vector.dtype).unsqueeze(2) * tape.vector  # batch source size
        torch.ops.aten.tanh_backward.grad_input(of_sums, tape.activations[time], grad_input=of_sums)
        self.of_keys.add_(of_sums)
        return torch.sum(of_sums, 1, out=self.of_projected[time]) @ tape.weight

    def of_given(self, of_scores: AllScores, queries: Queries) -> tuple[Tensor, ...]:
        """Gradients of keys, weight, bias and vector."""
        tape, projected = self.tape, self.of_projected.flatten(0, 1)
        of_vector = of_scores.reshape(1, -1).to(tape.vector.dtype) @ tape.activations.flatten(0, 2)
        return self.of_keys, projected.t() @ queries.flatten(0, 1), projected.sum(0), of_vector.squeeze(0)


class ProductTape(NamedTuple):
    """Record of what query . key was made of."""

    keys: Float[Tensor, "batch source key"]

    @classmethod
    def blank(cls, steps: int, keys: Tensor) -> "ProductTape":
        """A tape of steps that are still to be taken; nothing of them need be kept."""
        return cls(keys)

    def score(self, time: int, query: Float[Tensor, "batch query"]) -> Scores:
        """Scores of a step."""
        return torch.bmm(query.unsqueeze(1), self.keys.transpose(1, 2)).squeeze(1)

    def kept(self) -> "ProductTape":
        """The tape with what gradients are made of."""
        return self

    def gradients(self) -> ScoreGradients:
        """The gradients that the steps of the tape are gathered into, so far without any."""
        return ProductGradients(self)


class ProductGradients:
    """Gradients of scores that are products."""

    def __init__(self, tape: ProductTape) -> None:
        self.keys = tape.keys

    def step(self, time: int, of_scores: Scores) -> Float[Tensor, "batch query"]:
        """The gradient of a step's query."""
        return torch.bmm(of_scores.to(self.keys.dtype).unsqueeze(1), self.keys).squeeze(1)

    def of_given(self, of_scores: AllScores, queries: Queries) -> tuple[Tensor, ...]:
        """The gradient of the keys."""
        return (torch.bmm(of_scores.permute(1, 2, 0).to(self.keys.dtype), queries.transpose(0, 1)),)


ScoreTape = AdditiveTape | ProductTape

# By the method that scores, which says more than the class: a kind with scores of its own has none of these tapes.
_TAPES: dict[Any, type[ScoreTape]] = {
    AdditiveScore.score: AdditiveTape,
    DotAttention.score: ProductTape,
    GeneralAttention.score: ProductTape,
}


def score_tape(attention: Attention) -> type[ScoreTape] | None:
    """The kind of tape that records an attention's scores, or None where there is none."""
    kind: Any = type(attention)
    weighs = getattr(kind, "forward", None) is ScoredAttention.forward and kind.weights is Attention.weights
    return _TAPES.get(kind.score) if weighs else None


def recorded(attention: Any, memory: Memory) -> tuple[Tensor, ...]:
    """The tensors that an attention's tape is made of: the keys first."""
    if score_tape(attention) is ProductTape:
        return (memory.keys if attention.scale == 1 else memory.keys * attention.scale,)
    projection = attention.query_projection
    return memory.keys, projection.weight, projection.bias, attention.scoring_vector
