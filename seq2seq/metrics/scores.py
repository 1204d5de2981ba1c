"""The interface that every metric of texts offers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor
from torchmetrics import Metric


class Scores(Metric, ABC):
    """Scores by name, over all sentences seen; only sums are kept, so processes can add theirs up."""

    full_state_update = False

    @abstractmethod
    def update(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
        """Add sentences, each with one or more references."""

    @abstractmethod
    def compute(self) -> dict[str, Tensor]:
        """Scores in percent, by name."""

    @property
    @abstractmethod
    def signature(self) -> str:
        """A text that says all that another person needs to compute the same numbers."""
