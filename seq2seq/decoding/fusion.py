"""A model that a language model helps at every token."""

from typing import Generic, TypeVar

import torch

from seq2seq.decoding.stepper import Memory, States, Stepper, attends, says_unknown
from seq2seq.errors import UserError
from seq2seq.shapes import BeamIds, BeamWeights, Lengths, Logits, Source
from seq2seq.symbols import EOS, PAD

OwnMemory = TypeVar("OwnMemory")
OwnStates = TypeVar("OwnStates")


class FusedStepper(Generic[Memory, States, OwnMemory, OwnStates]):
    """Shallow fusion (Gulcehre et al. 2015): score(token) = log p(token | source) + weight log p_LM(token).

    Scores are sums of both, in searches and for given targets. As they leave some probability over, and are not to be
    scaled, it goes to PAD, which no search says. Raises UserError unless the weight is above 0.
    """

    def __init__(
        self, stepper: Stepper[Memory, States], language_model: Stepper[OwnMemory, OwnStates], weight: float
    ) -> None:
        if not weight > 0:
            raise UserError(f"weight must be above 0, but is {weight}: without fusion, leave it out.")
        self.stepper, self.language_model, self.weight = stepper, language_model, weight

    @property
    def attends(self) -> bool:
        """Tell whether weights say where in a source the model looked."""
        return attends(self.stepper)

    @property
    def says_unknown(self) -> bool:
        """Tell whether UNK may be said."""
        return says_unknown(self.stepper)

    def start(self, source: Source, lengths: Lengths) -> tuple[tuple[Memory, OwnMemory], tuple[States, OwnStates]]:
        """The memories and the first states of both; the language model has no source."""
        none = torch.full_like(source[:, :1], EOS)
        memory, states = self.stepper.start(source, lengths)
        own_memory, own_states = self.language_model.start(none, torch.ones_like(lengths))
        return (memory, own_memory), (states, own_states)

    def step(
        self, ids: BeamIds, memory: tuple[Memory, OwnMemory], states: tuple[States, OwnStates]
    ) -> tuple[Logits, BeamWeights, tuple[States, OwnStates]]:
        """Sums of both scores, `batch beam vocabulary`, the first model's attention, and the new states of both."""
        logits, weights, after = self.stepper.step(ids, memory[0], states[0])
        own, _, own_after = self.language_model.step(ids, memory[1], states[1])
        fused = logits.float().log_softmax(-1) + self.weight * own.float().log_softmax(-1)
        fused[..., PAD] = float("-inf")  # its own share is left over, too
        fused[..., PAD] = torch.log1p(-fused.logsumexp(-1).exp().clamp(max=1))
        return fused, weights, (after, own_after)
