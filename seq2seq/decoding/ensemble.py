"""An ensemble: several models that vote on every token."""

import math
from collections.abc import Sequence
from typing import Generic

import torch
from torch import Tensor

from seq2seq.decoding.stepper import Memory, States, Stepper, attends, says_unknown
from seq2seq.errors import UserError
from seq2seq.shapes import BeamIds, BeamWeights, Lengths, Logits, Source

AVERAGES = ("log_probabilities", "probabilities")


class EnsembleStepper(Generic[Memory, States]):
    """A Stepper that averages others' log-probabilities (renormalised) or probabilities.

    Attention is averaged over those that look at the source as it is given: all, unless `looking` tells which.
    Raises UserError if `average` is neither.
    """

    def __init__(
        self,
        steppers: Sequence[Stepper[Memory, States]],
        *,
        average: str = "log_probabilities",
        looking: Sequence[bool] | None = None,
    ) -> None:
        if average not in AVERAGES:
            raise UserError(f"average must be one of {', '.join(AVERAGES)}, but is {average!r}.")
        self.steppers = steppers
        self.average = average
        self.looking = [True] * len(steppers) if looking is None else looking

    def start(self, source: Source, lengths: Lengths) -> tuple[tuple[Memory, ...], tuple[States, ...]]:
        """The memories and the first states of all members, in their order."""
        memories, states = zip(*(stepper.start(source, lengths) for stepper in self.steppers), strict=True)
        return memories, states

    @property
    def attends(self) -> bool:
        """Tell whether weights say where in a source all members looked."""
        return all(attends(stepper) for stepper in self.steppers)

    @property
    def says_unknown(self) -> bool:
        """Tell whether UNK may be said."""
        return all(says_unknown(stepper) for stepper in self.steppers)

    def step(
        self, ids: BeamIds, memory: tuple[Memory, ...], states: tuple[States, ...]
    ) -> tuple[Logits, BeamWeights, tuple[States, ...]]:
        """The mean of the members' scores, `batch beam vocabulary`, and of their attention, and their new states."""
        members = zip(self.steppers, memory, states, strict=True)
        logits, weights, stepped = zip(*(stepper.step(ids, kept, own) for stepper, kept, own in members), strict=True)
        scores = torch.stack([own.float().log_softmax(-1) for own in logits])
        mean = _mean_probabilities(scores) if self.average == "probabilities" else _mean_of_logarithms(scores)
        looks = [own for looking, own in zip(self.looking, weights, strict=True) if looking]
        return mean, torch.stack(looks).mean(0), stepped


def _mean_probabilities(scores: Tensor) -> Tensor:
    return scores.logsumexp(0) - math.log(len(scores))


def _mean_of_logarithms(scores: Tensor) -> Tensor:
    """The mean; of probabilities where members with zeros leave no token that all of them would say."""
    mean = scores.mean(0)
    none = mean.amax(-1, keepdim=True) == float("-inf")
    return torch.where(none, _mean_probabilities(scores), mean) if none.any() else mean
