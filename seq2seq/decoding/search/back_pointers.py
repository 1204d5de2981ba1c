"""The choices of every step, and the way back from a hypothesis's end."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.shapes import BeamIds, BeamScores
from seq2seq.symbols import PAD


class BackPointers:
    """Tokens, back-pointers and log-probabilities, step by step; nothing is reordered until the end.

    Sentences leave the batch while others go on, so each step comes with the numbers of those it is about.
    """

    def __init__(self, batch: int, *, attention: bool) -> None:
        self.batch = batch
        self.attention = attention
        self.tokens: list[Tensor] = []
        self.parents: list[Tensor] = []
        self.scores: list[Tensor] = []
        self.weights: list[Tensor] = []

    def append(
        self,
        sentences: Int[Tensor, " batch"],
        tokens: BeamIds,
        parents: Int[Tensor, "batch beam"],
        scores: BeamScores,
        weights: Float[Tensor, "batch parent source"],
    ) -> None:
        """Note the choices of one step; `weights` are those of the parents."""
        for kept, values in ((self.tokens, tokens), (self.parents, parents), (self.scores, scores)):
            kept.append(self._of_all(sentences, values))
        if self.attention:
            chosen = weights.gather(1, parents.unsqueeze(-1).expand(-1, -1, weights.shape[-1]))
            self.weights.append(self._of_all(sentences, chosen))

    def _of_all(self, sentences: Tensor, values: Tensor) -> Tensor:
        if len(values) == self.batch:
            return values
        return values.new_zeros(self.batch, *values.shape[1:]).index_copy_(0, sentences, values)

    def walk(self, steps: Tensor, slots: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Ids (PAD behind the end), log-probabilities and attention of hypotheses that were last in `slots`.

        Steps and slots are `batch hypotheses`; what comes back has an axis of time behind.
        """
        ids, scores, weights = [], [], []
        for step in reversed(range(len(self.tokens))):
            inside = step < steps
            ids.append(torch.where(inside, self.tokens[step].gather(1, slots), PAD))
            scores.append(torch.where(inside, self.scores[step].gather(1, slots), 0.0))
            if self.attention:
                every = self.weights[step]
                weights.append(every.gather(1, slots.unsqueeze(-1).expand(-1, -1, every.shape[-1])))
            slots = torch.where(inside, self.parents[step].gather(1, slots), slots)
        attention = torch.stack(weights[::-1], 2) if self.attention else None
        return torch.stack(ids[::-1], 2), torch.stack(scores[::-1], 2), attention
