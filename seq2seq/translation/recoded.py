"""A member of an ensemble that reads another source vocabulary."""

from typing import Any

import torch

from seq2seq.data.sequences import TokenSequences
from seq2seq.data.tokenizers import Tokenizer
from seq2seq.decoding.stepper import Stepper, attends, says_unknown
from seq2seq.shapes import BeamIds, BeamWeights, Lengths, Logits, Source


class Recoded:
    """A Stepper whose source has another vocabulary than that of the ids it is given.

    The ids become text and are cut anew. What the vocabulary of the ids lacks stays unknown.
    """

    def __init__(self, stepper: Stepper, *, given: Tokenizer, own: Tokenizer) -> None:
        self.stepper, self.given, self.own = stepper, given, own

    @property
    def attends(self) -> bool:
        """Tell whether weights say where in a source the model looked."""
        return attends(self.stepper)

    @property
    def says_unknown(self) -> bool:
        """Tell whether UNK may be said."""
        return says_unknown(self.stepper)

    def start(self, source: Source, lengths: Lengths) -> tuple[Any, Any]:
        """Start on sources, `batch source`, cut anew, and return the memory and the states of the stepper."""
        rows = zip(source.tolist(), lengths.tolist(), strict=True)
        encoded = TokenSequences.from_ids(
            self.own.encode(self.given.decode([ids[: length - 1] for ids, length in rows]))
        )
        recoded, new_lengths = encoded.padded(torch.arange(len(encoded)), end=True)
        return self.stepper.start(recoded.to(source.device), new_lengths.to(source.device))

    def step(self, ids: BeamIds, memory: Any, states: Any) -> tuple[Logits, BeamWeights, Any]:
        """Logits, `batch beam vocabulary`, attention, `batch beam source`, and states after ids, `batch beam`."""
        return self.stepper.step(ids, memory, states)
