"""Features to logits for searching, and to a loss for training."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.layers.embedding import Embedding
from seq2seq.layers.initialization import linear

Rows = Float[Tensor, "rows feature"]


class Output(nn.Module, ABC):
    """The last layer: scores of every token in the target vocabulary."""

    @abstractmethod
    def logits(self, features: Rows) -> Float[Tensor, "rows vocabulary"]: ...

    def loss(
        self, features: Rows, targets: Int[Tensor, " rows"], *, label_smoothing: float = 0.0
    ) -> Float[Tensor, " rows"]:
        """Cross-entropy of every row in nats, in float32 (or better)."""
        logits = self.logits(features)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return functional.cross_entropy(logits, targets, label_smoothing=label_smoothing, reduction="none")


class FullOutput(Output):
    """A matrix of its own."""

    def __init__(self, *, feature_size: int, embedding: Embedding) -> None:
        super().__init__()
        self.projection = linear(feature_size, embedding.vocabulary_size)

    def logits(self, features: Rows) -> Float[Tensor, "rows vocabulary"]:
        return self.projection(features)


class TiedOutput(Output):
    """The target embedding's matrix (Press & Wolf 2017), behind a projection where sizes differ."""

    def __init__(self, *, feature_size: int, embedding: Embedding) -> None:
        super().__init__()
        same = feature_size == embedding.size
        self.projection = nn.Identity() if same else linear(feature_size, embedding.size, bias=False)
        self.weight = embedding.table.weight
        self.bias = nn.Parameter(self.weight.new_zeros(embedding.vocabulary_size))

    def logits(self, features: Rows) -> Float[Tensor, "rows vocabulary"]:
        return functional.linear(self.projection(features), self.weight, self.bias)
