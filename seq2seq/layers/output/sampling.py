"""Tokens drawn for a loss that scores a few of the vocabulary."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.symbols import BOS, PAD

SAMPLERS = ("log_uniform", "unigram")
_HALVINGS = 100


class TokenSampler:
    """A sampler of different tokens, the same for all rows of a batch; PAD and BOS are never among them.

    Tokens are drawn without replacement by P: log_uniform, of token k of the vocabulary log((k + 2) / (k + 1)), which
    suits ids in the order of frequency, or unigram, as tokens come in train. A token is expected among them
    1 - exp(-t P) times, with the t at which all together are as many as are drawn: exactly once where all are. Raises
    UserError if a value is out of range.
    """

    def __init__(self, samples: int, kind: str, vocabulary_size: int) -> None:
        said = vocabulary_size - 2
        if samples < 1:
            raise UserError(f"samples must be at least 1, or null for all tokens, but is {samples}.")
        if samples > said:
            raise UserError(f"samples must be at most {said}, the tokens that can be said, but is {samples}.")
        if kind not in SAMPLERS:
            raise UserError(f"sampler must be one of {', '.join(SAMPLERS)}, but is {kind!r}.")
        self.samples, self.kind, self.vocabulary_size = samples, kind, vocabulary_size
        self._weights: Tensor | None = None  # of all tokens, summing to 1
        self._expected: Tensor | None = None  # logarithms

    def prepare(self, counts: Int[Tensor, " vocabulary"]) -> None:
        """Take in how often every token comes, for those by unigram; one that never does may still be drawn."""
        if self.kind == "unigram":
            self._weights = self._without_barred(counts.double() + 1)

    def draw(self, device: torch.device) -> tuple[Int[Tensor, " sample"], Float[Tensor, " vocabulary"]]:
        """The tokens drawn, and the logarithm of how often every token is expected among them."""
        self._settle(device)
        assert self._weights is not None
        assert self._expected is not None
        if self.samples == self.vocabulary_size - 2:
            return self._weights.nonzero().squeeze(1), self._expected
        return torch.multinomial(self._weights, self.samples), self._expected

    def _settle(self, device: torch.device) -> None:
        """Have the weights and expectations where they are wanted."""
        if self._weights is None:
            if self.kind == "unigram":
                raise UserError("sampler=unigram needs the counts of tokens: call prepare before the first step.")
            ranks = torch.arange(self.vocabulary_size, dtype=torch.float64)
            self._weights = self._without_barred(((ranks + 2) / (ranks + 1)).log())
        if self._expected is None:
            self._expected = self._logarithms(self._weights).float().to(device)
            self._weights = self._weights.float()
        self._weights, self._expected = self._weights.to(device), self._expected.to(device)

    def _without_barred(self, weights: Tensor) -> Tensor:
        weights = weights.index_fill(0, torch.tensor([PAD, BOS], device=weights.device), 0)
        return weights / weights.sum()

    def _logarithms(self, weights: Tensor) -> Tensor:
        """Logarithms of expectations; that of what is never drawn is 0, as it is of no row."""
        drawn = weights > 0
        if self.samples == int(drawn.sum()):
            return torch.zeros_like(weights)
        low, high = 0.0, 1.0
        while float(-torch.expm1(-high * weights).sum()) < self.samples:
            high *= 2
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            enough = float(-torch.expm1(-middle * weights).sum()) >= self.samples
            low, high = (low, middle) if enough else (middle, high)
        return (-torch.expm1(-high * weights)).where(drawn, 1).log()
