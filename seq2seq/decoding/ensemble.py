"""Several models that vote on every token."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from seq2seq.data.sequences import TokenSequences
from seq2seq.data.tokenizers import Tokenizer
from seq2seq.decoding.stepper import Stepper
from seq2seq.errors import UserError
from seq2seq.shapes import BeamIds, BeamWeights, Lengths, Logits, SourceIds

_AVERAGES = ("log_probabilities", "probabilities")


class Recoded:
    """A Stepper whose source has another vocabulary than that of the ids it is given.

    The ids become text and are cut anew. What the vocabulary of the ids lacks stays unknown.
    """

    def __init__(self, stepper: Stepper, *, given: Tokenizer, own: Tokenizer) -> None:
        self.stepper, self.given, self.own = stepper, given, own

    def start(self, source: SourceIds, lengths: Lengths) -> tuple[Any, Any]:
        rows = zip(source.tolist(), lengths.tolist(), strict=True)
        encoded = TokenSequences.of(self.own.encode(self.given.decode([ids[: length - 1] for ids, length in rows])))
        recoded, new_lengths = encoded.rows(torch.arange(len(encoded)), end=True)
        return self.stepper.start(recoded.to(source.device), new_lengths.to(source.device))

    def step(self, ids: BeamIds, memory: Any, states: Any) -> tuple[Logits, BeamWeights, Any]:
        return self.stepper.step(ids, memory, states)


class Ensemble:
    """A Stepper that averages others' log-probabilities (renormalised) or probabilities.

    Attention is averaged over those that read the source as it is given; the first must.
    """

    def __init__(self, steppers: Sequence[Stepper], *, average: str = "log_probabilities") -> None:
        if average not in _AVERAGES:
            raise UserError(f"ensemble must be one of {', '.join(_AVERAGES)}, but is {average!r}.")
        self.steppers = steppers
        self.average = average

    def start(self, source: SourceIds, lengths: Lengths) -> tuple[Any, Any]:
        memories, states = zip(*(stepper.start(source, lengths) for stepper in self.steppers), strict=True)
        return memories, states

    def step(self, ids: BeamIds, memory: Any, states: Any) -> tuple[Logits, BeamWeights, Any]:
        members = zip(self.steppers, memory, states, strict=True)
        logits, weights, stepped = zip(*(stepper.step(ids, *own) for stepper, *own in members), strict=True)
        scores = torch.stack([own.float().log_softmax(-1) for own in logits])
        mean = scores.mean(0) if self.average == "log_probabilities" else scores.logsumexp(0) - math.log(len(scores))
        seen = zip(self.steppers, weights, strict=True)
        looks = [own for stepper, own in seen if not isinstance(stepper, Recoded)]
        return mean, torch.stack(looks).mean(0), stepped
