"""A request: what one search is asked for beside the sources."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from seq2seq.decoding.filters import Filter


@dataclass(frozen=True)
class Request:
    """A request for `n_best` hypotheses of every sentence, with attention or not, under filters made for them.

    `phrases` are token ids that each sentence's hypotheses must hold, in any order.
    """

    n_best: int = 1
    attention: bool = False
    filters: list[Filter] = field(default_factory=list)
    phrases: Sequence[Sequence[Sequence[int]]] | None = None
