"""Interface of the last layer, which scores the target vocabulary."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.layers.entmax import check_normalizer, entmax, entmax_loss, logarithms
from seq2seq.precise import precise
from seq2seq.symbols import BOS, PAD

Rows = Float[Tensor, "rows feature"]
RowScores = Float[Tensor, "rows vocabulary"]
Targets = Int[Tensor, " rows"]


class Output(nn.Module, ABC):
    """The last layer: from the features of a token to come to a score of every token in the target vocabulary.

    PAD and BOS, which no target holds behind its beginning and no search says, have no share in any probability.
    `normalizer` makes probabilities of scores: softmax, or 1.5-entmax, by which low scores have exactly none (Peters et
    al. 2019). Raises UserError if it is neither.
    """

    bars_by_row: ClassVar[bool] = False  # whether more than PAD and BOS has no share, and the features tell what

    def __init__(self, normalizer: str = "softmax") -> None:
        super().__init__()
        self.normalizer = check_normalizer(normalizer)

    @abstractmethod
    def scores(self, features: Rows) -> RowScores:
        """Scores of all tokens, PAD and BOS among them, `rows vocabulary`, in a tensor that may be written into."""

    def barred(self, features: Rows) -> RowScores:
        """Scores as probabilities are made of them, `rows vocabulary`: minus infinity of PAD and BOS."""
        scores = self.scores(features)
        for token in (PAD, BOS):
            scores[:, token] = float("-inf")
        return scores

    def logits(self, features: Rows) -> RowScores:
        """Scores whose softmax is the probabilities, `rows vocabulary`: minus infinity of what has none."""
        return self.barred(features) if self.normalizer == "softmax" else self.log_probabilities(features)

    def probabilities(self, scores: RowScores) -> RowScores:
        """Probabilities from scores, `rows vocabulary`, in float32 (or better)."""
        return precise(scores).softmax(-1) if self.normalizer == "softmax" else entmax(scores)

    def log_probabilities(self, features: Rows) -> RowScores:
        """Natural logarithms of probabilities, `rows vocabulary`, in float32 (or better)."""
        scores = precise(self.barred(features))
        return scores.log_softmax(-1) if self.normalizer == "softmax" else logarithms(entmax(scores))

    def target_scores(self, features: Rows, targets: Targets) -> Float[Tensor, " rows"]:
        """The log-probability of every row's target, in float32 (or better); minus infinity where it has none."""
        if self.normalizer == "softmax":
            return -self.loss(features, targets)
        return self.log_probabilities(features).gather(1, targets.unsqueeze(1)).squeeze(1)

    def loss(self, features: Rows, targets: Targets) -> Float[Tensor, " rows"]:
        """The loss that goes with the probabilities, of every row's target, in float32 (or better).

        That is the negative log-likelihood in nats, but with entmax, whose zeros have none, the loss of its paper.
        """
        scores = precise(self.barred(features))
        if self.normalizer == "softmax":
            return functional.cross_entropy(scores, targets, reduction="none")
        return entmax_loss(scores, targets)
