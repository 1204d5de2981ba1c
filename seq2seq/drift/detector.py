"""The interface of all detectors of change in a stream of numbers."""

from abc import ABC, abstractmethod
from math import isfinite
from typing import NamedTuple

from seq2seq.errors import UserError


class Recent(NamedTuple):
    """The values that came since the last change, as far as a detector can tell: their mean, and how many."""

    mean: float
    length: int


class Detector(ABC):
    """Says at which value of a stream its mean has changed for longer than chance explains.

    Values are in deviations from what is usual, so that one setting suits every signal. What a detector remembers does
    not grow with the stream, or grows with the logarithm of its length.
    """

    @abstractmethod
    def update(self, value: float) -> bool:
        """Take in the next value and tell whether the mean is another than it was.

        Raises UserError at a value that is not finite, behind which no mean would be. After an alarm the detector
        starts anew by itself: what it found is then usual, and it says so once.
        """

    @property
    @abstractmethod
    def recent(self) -> Recent:
        """The values since the last change: of a detector that has just alarmed, since the one that it found."""


def check_value(value: float) -> None:
    """Raise UserError at a value of a stream that is not finite."""
    if not isfinite(value):
        raise UserError(f"value must be a finite number, but is {value}: leave it out.")
