"""Interface of the last layer, which scores the target vocabulary."""

from abc import ABC, abstractmethod

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.precise import precise
from seq2seq.symbols import BOS, PAD

Rows = Float[Tensor, "rows feature"]
RowScores = Float[Tensor, "rows vocabulary"]


class Output(nn.Module, ABC):
    """The last layer: from the features of a token to come to a score of every token in the target vocabulary.

    PAD and BOS, which no target holds behind its beginning and no search says, have no share in any probability.
    """

    @abstractmethod
    def scores(self, features: Rows) -> RowScores:
        """Scores of all tokens, PAD and BOS among them, `rows vocabulary`, in a tensor that may be written into."""

    def logits(self, features: Rows) -> RowScores:
        """Scores that searches normalise, `rows vocabulary`: minus infinity of PAD and BOS."""
        scores = self.scores(features)
        for token in (PAD, BOS):
            scores[:, token] = float("-inf")
        return scores

    def log_probabilities(self, features: Rows) -> RowScores:
        """Natural logarithms of probabilities, `rows vocabulary`, in float32 (or better)."""
        return precise(self.logits(features)).log_softmax(-1)

    def loss(self, features: Rows, targets: Int[Tensor, " rows"]) -> Float[Tensor, " rows"]:
        """The negative log-likelihood of every row's target in nats, in float32 (or better)."""
        return functional.cross_entropy(precise(self.logits(features)), targets, reduction="none")
