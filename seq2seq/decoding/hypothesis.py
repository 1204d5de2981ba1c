"""What a search returns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """Token ids without BOS and EOS, and the log-probability (nats) of all of them and of EOS if it ended."""

    ids: list[int]
    score: float
    finished: bool
