"""The hypotheses that a search returns."""

from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Hypothesis:
    """Token ids without BOS and EOS, and what the model gave them.

    Scores are log-probabilities in nats, of the model alone whatever filters or penalties steered the search.
    `token_scores` has one more than `ids` if the hypothesis ended by itself: that of EOS. `rank_score` is what
    hypotheses were ordered by. `attention` has a row of weights over the source for every id.
    """

    ids: list[int]
    score: float
    finished: bool
    rank_score: float = 0.0
    token_scores: list[float] = field(default_factory=list)
    attention: Float[Tensor, "target source"] | None = None
