"""Outputs that are one product with a matrix of the vocabulary."""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.output.chunked import ChunkedCrossEntropy
from seq2seq.layers.output.output import Losses, Output, Rows, Targets, TrainingLoss, WideScores
from seq2seq.layers.output.sampling import SAMPLERS, TokenSampler
from seq2seq.layers.output.smoothing import Smoothing
from seq2seq.precise import precise


class MatrixOutput(Output):
    """Output of scores = rows W^T + b, with rows made of the features.

    With `samples`, training compares each target with that many tokens drawn by `sampler`, by scores - log(how often a
    token is expected among them): sampled softmax (Jean et al. 2015). All else has all tokens. Raises UserError if
    that cannot be.
    """

    def __init__(
        self,
        *,
        feature_size: int,
        embedding: Embedding,
        normalizer: str = "softmax",
        chunk: int | None = None,
        samples: int | None = None,
        sampler: str = SAMPLERS[0],
    ) -> None:
        super().__init__(normalizer, chunk=chunk, vocabulary_size=embedding.vocabulary_size)
        if samples is None and sampler != SAMPLERS[0]:
            raise UserError(f"sampler={sampler} needs samples, but that is null: give a number of tokens.")
        if samples is not None and normalizer != "softmax":
            raise UserError(f"samples must be null with normalizer={normalizer}, which needs all, but is {samples}.")
        if samples is not None and chunk is not None:
            raise UserError(f"samples must be null with chunk={chunk}, which is of all tokens, but is {samples}.")
        self.samples = samples
        self.sampler = None if samples is None else TokenSampler(samples, sampler, embedding.vocabulary_size)
        self.make(feature_size, embedding)

    @abstractmethod
    def make(self, feature_size: int, embedding: Embedding) -> None:
        """Give it its matrix, for features and tokens of an embedding."""

    def prepare(self, counts: Int[Tensor, " vocabulary"]) -> None:
        if self.sampler is not None:
            self.sampler.prepare(counts)

    @abstractmethod
    def parts(
        self, features: Rows
    ) -> tuple[Float[Tensor, "rows size"], Float[Tensor, "column size"], Float[Tensor, " column"]]:
        """The rows, W and b."""

    def scores(self, features: Rows) -> WideScores:
        return functional.linear(*self.parts(features))

    def training_losses(self, features: Rows, targets: Targets, smoothing: Smoothing) -> tuple[Losses, Losses | None]:
        if self.sampler is None or not self.training:
            return super().training_losses(features, targets, smoothing)
        if smoothing.amount > 0:
            raise UserError("label_smoothing must be 0 where samples stand for all tokens.")
        return self._sampled(features, targets, self.sampler), None

    def training_loss(self, features: Rows, targets: Targets, smoothing: Smoothing) -> TrainingLoss:
        chunk, samples = self.rows_at_once(len(features)), self.sampler is not None and self.training
        if samples or chunk is None or self.normalizer != "softmax":
            return super().training_loss(features, targets, smoothing)
        rows, weight, bias = self.parts(features)
        law = ChunkedCrossEntropy(chunk, self.vocabulary_size or len(weight), smoothing)
        return TrainingLoss(*law(rows, weight, bias, targets))

    def _sampled(self, features: Rows, targets: Targets, sampler: TokenSampler) -> Losses:
        """The loss of each target among the tokens that were drawn; it is never one of them, too."""
        rows, weight, bias = self.parts(features)
        drawn, expected = sampler.draw(targets.device)
        # One look-up, so that the matrix has one gradient.
        of_drawn, of_targets = functional.embedding(torch.cat([drawn, targets]), weight).split([len(drawn), len(rows)])
        scores = precise(functional.linear(rows, of_drawn, bias[drawn])) - expected[drawn]
        scores = scores.masked_fill(drawn == targets.unsqueeze(1), float("-inf"))
        own = precise((rows * of_targets).sum(-1)) + precise(bias[targets]) - expected[targets]
        return torch.cat([own.unsqueeze(1), scores], 1).logsumexp(1) - own
