"""The likeliest token at every step."""

import torch
from torch import Tensor

from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.stepper import Stepper, select
from seq2seq.errors import UserError
from seq2seq.shapes import Lengths, SourceIds
from seq2seq.symbols import BOS, EOS, PAD

# Steps between looks at which sentences have ended. On a CPU a look is free; elsewhere it waits for the device.
_LOOK_EVERY = {"cpu": 1}
_LOOK_EVERY_ELSEWHERE = 4


class GreedySearch:
    """Greedy decoding. A sentence's length limit depends on that sentence alone: ratio * source + extra."""

    def __init__(self, *, max_length_ratio: float = 2.0, max_length_extra: int = 20) -> None:
        if max_length_ratio < 0 or max_length_extra < 1:
            raise UserError(
                "max_length_ratio must be at least 0 and max_length_extra at least 1, but are "
                f"{max_length_ratio} and {max_length_extra}."
            )
        self.max_length_ratio = max_length_ratio
        self.max_length_extra = max_length_extra

    @torch.inference_mode()
    def __call__(self, stepper: Stepper, source: SourceIds, lengths: Lengths) -> list[Hypothesis]:
        limits = (lengths * self.max_length_ratio).long() + self.max_length_extra
        ids, scores = self._search(stepper, source, lengths, limits)
        return [_hypothesis(*row) for row in zip(ids.tolist(), scores.tolist(), strict=True)]

    def _search(self, stepper: Stepper, source: SourceIds, lengths: Lengths, limits: Lengths) -> tuple[Tensor, Tensor]:
        """All chosen ids, PAD after the end, and summed log-probabilities."""
        steps = int(limits.max())
        chosen = source.new_full((len(source), steps), PAD)
        scores = torch.zeros(len(source), device=source.device)
        rows = torch.arange(len(source), device=source.device)  # the sentences still in the batch
        alive = torch.ones_like(rows, dtype=torch.bool)
        previous = source.new_full((len(source),), BOS)
        never = source.new_tensor([PAD, BOS])
        look_every = _LOOK_EVERY.get(source.device.type, _LOOK_EVERY_ELSEWHERE)
        state = stepper.start(source, lengths)
        for position in range(steps):
            logits, _, state = stepper.step(previous, state)
            logits = logits.float()
            normalizer = logits.logsumexp(-1)
            best, previous = logits.index_fill(1, never, float("-inf")).max(-1)
            chosen[rows, position] = torch.where(alive, previous, PAD)
            scores[rows] += torch.where(alive, best - normalizer, 0.0)
            alive = alive & (previous != EOS) & (position + 1 < limits[rows])
            if (position + 1) % look_every == 0:
                left = alive.nonzero().squeeze(1)
                if len(left) == 0:
                    break
                if len(left) < len(rows):
                    rows, alive, previous = rows[left], alive[left], previous[left]
                    state = select(state, left)
        return chosen, scores


def _hypothesis(ids: list[int], score: float) -> Hypothesis:
    finished = EOS in ids
    end = ids.index(EOS) if finished else ids.index(PAD) if PAD in ids else len(ids)
    return Hypothesis(ids[:end], score, finished)
