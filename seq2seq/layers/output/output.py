"""Interface of the last layer, which scores the target vocabulary."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import ClassVar, NamedTuple, TypeVar

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.entmax import check_normalizer, entmax, entmax_loss, logarithms
from seq2seq.layers.output.chunked import in_chunks
from seq2seq.layers.output.smoothing import Smoothing
from seq2seq.precise import precise
from seq2seq.symbols import UNSAID

Rows = Float[Tensor, "rows feature"]
RowScores = Float[Tensor, "rows vocabulary"]
WideScores = Float[Tensor, "rows column"]  # columns past the vocabulary make it a round number
Targets = Int[Tensor, " rows"] | Float[Tensor, "rows value"]  # tokens, or frames
Losses = Float[Tensor, " rows"]
_MOST = 1 << 26  # scores that are held at once, unless told: 256 MiB of them
_ROWS = 128  # else; a product of fewer is slower, and of more leaves the cache

Found = TypeVar("Found", Tensor, tuple[Tensor, ...])


class TrainingLoss(NamedTuple):
    """The loss that training minimises, as a sum over rows, and the negative log-likelihood in it, if that is known."""

    total: Tensor
    likelihood: Tensor | None


class Output(nn.Module, ABC):
    """The last layer: from the features of a token to come to a score of every token in the target vocabulary.

    PAD and BOS, which no target holds behind its beginning and no search says, have no share in any probability; nor
    have columns past the vocabulary. `normalizer` makes probabilities of scores: softmax, or 1.5-entmax, by which low
    scores have exactly none (Peters et al. 2019). Losses hold the scores of `chunk` rows at a time; None: of all, but
    of 128 where all would take over 256 MiB. Raises UserError if a value is out of range.
    """

    by_token: bool = True  # whether matrices with a row for every token have them in the order of ids
    bars_by_row: ClassVar[bool] = False  # whether more than PAD and BOS has no share, and the features tell what
    frames: ClassVar[bool] = False  # whether frames are written rather than tokens
    samples: int | None = None  # tokens that scores in training are of; None: all

    def __init__(
        self, normalizer: str = "softmax", *, chunk: int | None = None, vocabulary_size: int | None = None
    ) -> None:
        super().__init__()
        self.normalizer = check_normalizer(normalizer)
        if chunk is not None and chunk < 1:
            raise UserError(f"chunk must be at least 1 row, or null, but is {chunk}.")
        self.chunk = chunk
        self.vocabulary_size = vocabulary_size  # None: as many as there are columns

    def refuse_samples(self, who: str) -> None:
        """Raise UserError, in the name of an objective, if training's loss is of a sample of the tokens."""
        if self.samples is not None:
            raise UserError(
                f"{who} needs the probabilities of all tokens in training, but samples is {self.samples}: make it null."
            )

    def prepare(self, counts: Int[Tensor, " vocabulary"]) -> None:  # noqa: B027
        """Take in how often every target token comes in the training data, EOS counted, before the first step."""

    @property
    def products(self) -> int:
        """Multiply-accumulates for one row of features."""
        return sum(weight.numel() for weight in self.parameters() if weight.dim() >= 2)

    @abstractmethod
    def scores(self, features: Rows) -> WideScores:
        """Scores of all tokens, PAD and BOS among them, `rows column`, in a tensor that may be written into."""

    def barred(self, features: Rows) -> WideScores:
        """Scores as probabilities are made of them: minus infinity of PAD, BOS and what is past the vocabulary."""
        scores = self.scores(features)
        scores[:, UNSAID] = float("-inf")
        if self.vocabulary_size is not None and self.vocabulary_size < scores.shape[1]:
            scores[:, self.vocabulary_size :] = float("-inf")
        return scores

    def logits(self, features: Rows) -> RowScores:
        """Scores whose softmax is the probabilities, `rows vocabulary`: minus infinity of what has none."""
        if self.normalizer == "softmax":
            return self.barred(features)[:, : self.vocabulary_size]
        return self.log_probabilities(features)

    def probabilities(self, scores: WideScores) -> WideScores:
        """Probabilities from scores, in float32 (or better)."""
        return precise(scores).softmax(-1) if self.normalizer == "softmax" else entmax(scores)

    def log_probabilities(self, features: Rows) -> RowScores:
        """Natural logarithms of probabilities, `rows vocabulary`, in float32 (or better)."""
        scores = precise(self.barred(features))
        found = scores.log_softmax(-1) if self.normalizer == "softmax" else logarithms(entmax(scores))
        return found[:, : self.vocabulary_size]

    def target_scores(self, features: Rows, targets: Targets) -> Losses:
        """The log-probability of every row's target, in float32 (or better); minus infinity where it has none."""
        if self.normalizer == "softmax":
            return -self.loss(features, targets)
        return self.log_probabilities(features).gather(1, targets.unsqueeze(1)).squeeze(1)

    def loss(self, features: Rows, targets: Targets) -> Losses:
        """The loss that goes with the probabilities, of every row's target, in float32 (or better).

        That is the negative log-likelihood in nats, but with entmax, whose zeros have none, the loss of its paper.
        """
        return self.in_chunks(self.losses_of, features, targets)

    def training_loss(self, features: Rows, targets: Targets, smoothing: Smoothing) -> TrainingLoss:
        """The loss of all rows together, with smoothing, as training minimises it."""
        losses, likelihoods = self.training_losses(features, targets, smoothing)
        return TrainingLoss(losses.sum(), None if likelihoods is None else likelihoods.sum())

    def training_losses(self, features: Rows, targets: Targets, smoothing: Smoothing) -> tuple[Losses, Losses | None]:
        """Losses of the rows that make it up, and the negative log-likelihoods in them."""
        losses, likelihoods = self.in_chunks(partial(self._smoothed, smoothing), features, targets)
        return losses, likelihoods if self.normalizer == "softmax" else None

    def in_chunks(self, function: Callable[..., Found], *rows: Tensor) -> Found:
        """Results of a function of rows, as many of them at a time as losses take."""
        return in_chunks(function, self.rows_at_once(len(rows[0])), *rows)

    def rows_at_once(self, rows: int) -> int | None:
        """The number of rows whose scores losses of so many hold at a time; None for all."""
        if self.chunk is not None:
            return self.chunk if self.chunk < rows else None
        return _ROWS if self.vocabulary_size is not None and rows * self.vocabulary_size > _MOST else None

    def losses_of(self, features: Rows, targets: Targets) -> Losses:
        """The loss of every row, all at once."""
        scores = precise(self.barred(features))
        if self.normalizer == "softmax":
            return functional.cross_entropy(scores, targets, reduction="none")
        return entmax_loss(scores, targets)

    def _smoothed(self, smoothing: Smoothing, features: Rows, targets: Targets) -> tuple[Losses, Losses]:
        """The loss of each row: (1 - amount) of its target's, the rest by shares; and the likelihood in it."""
        if self.normalizer != "softmax":
            losses = self._sparse(smoothing, features, targets)
            return losses, losses.detach()
        if smoothing.amount == 0:
            losses = self.losses_of(features, targets)
            return losses, losses.detach()
        log_probabilities = self.log_probabilities(features)
        of_targets = functional.nll_loss(log_probabilities, targets, reduction="none")
        known = log_probabilities[:, : self.vocabulary_size]
        taken = smoothing.taken_of_possible(known) if self.bars_by_row else smoothing.taken(known)
        return (1 - smoothing.amount) * of_targets - taken, of_targets.detach()

    def _sparse(self, smoothing: Smoothing, features: Rows, targets: Targets) -> Losses:
        """The loss of each row by entmax, smoothed in its targets (Peters & Martins 2021): no likelihood."""
        scores = precise(self.barred(features))
        losses = entmax_loss(scores, targets)
        if smoothing.amount == 0:
            return losses
        of_targets = scores.gather(1, targets.unsqueeze(1)).squeeze(1)
        return losses + smoothing.amount * (of_targets - smoothing.mean(scores[:, : self.vocabulary_size]))
