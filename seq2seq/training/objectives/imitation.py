"""Imitation of what is best to do next, after actions of the model's own, too."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional

from seq2seq.data.batch import Batch
from seq2seq.data.edits.dynamic_oracle import DynamicOracle, Pair
from seq2seq.errors import UserError
from seq2seq.interpretation.recording import evaluating
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.precise import precise
from seq2seq.shapes import SoftIds, TargetIds
from seq2seq.symbols import BOS, EOS, PAD
from seq2seq.training.objectives.objective import Objective

Steps = Int[Tensor, "batch step"]

_EXTRA = 5  # actions that a roll-in may have beyond those of the pair's own


class Imitation(Objective):
    """Negative log-probability of all optimal actions together, after roll-ins (Makarov & Clematide 2018).

    loss = -sum_t log sum over optimal a of p(a | what was done before t). A sentence is rolled in by actions drawn from
    the model with a probability that grows evenly from 0, at a share `start` of the budget, to `own` at its end; else
    by the cheapest edits. Label smoothing is spread evenly over what can be done. Raises UserError if a value is out of
    range.
    """

    fits_edits = True

    def __init__(self, *, own: float = 0.5, start: float = 0.3, label_smoothing: float = 0.1) -> None:
        if not 0 <= own <= 1:
            raise UserError(f"own must be from 0 to 1, but is {own}.")
        if not 0 <= start < 1:
            raise UserError(f"start must be at least 0 and below 1, but is {start}.")
        if not 0 <= label_smoothing < 1:
            raise UserError(f"label_smoothing must be at least 0 and below 1, but is {label_smoothing}.")
        self.own, self.start, self.label_smoothing = own, start, label_smoothing
        self.oracle: DynamicOracle | None = None
        self._spent = 0.0

    def begin(self, spent: float) -> None:
        self._spent = spent

    def check(self, model: Seq2Seq) -> None:
        if not model.edits:
            raise UserError("Imitation needs a transducer, whose actions it judges: choose another objective.")
        if model.output.normalizer != "softmax":
            raise UserError("Imitation needs probabilities of all actions: leave the output's normalizer at softmax.")

    @property
    def share(self) -> float:
        """The probability of a roll-in by the model's own actions, at the share of the budget that is spent."""
        return self.own * max(0.0, self._spent - self.start) / (1 - self.start)

    def __call__(self, model: Seq2Seq, batch: Batch, inputs: TargetIds | SoftIds) -> Tensor:
        rolled = batch.target_outputs
        if (share := self.share) > 0:
            own = (torch.rand(len(rolled), device=rolled.device) < share) & batch.target_mask.any(1)
            if bool(own.any()):
                rolled = _joined(rolled, own, roll_in(model, batch, own))
        outputs = model(batch.source, batch.source_lengths, _shifted(rolled))
        return self._of_actions(model, batch, outputs, rolled)

    def loss(self, model: Seq2Seq, batch: Batch, outputs: ModelOutputs) -> Tensor:
        return self._of_actions(model, batch, outputs, batch.target_outputs)

    def _of_actions(self, model: Seq2Seq, batch: Batch, outputs: ModelOutputs, rolled: Steps) -> Tensor:
        """The loss before every action that was taken, given what the model made of those before it."""
        places = (rolled != PAD).flatten().nonzero().squeeze(1)
        scores = model.output.log_probabilities(outputs.features.flatten(0, 1).index_select(0, places))
        optimal = self._optimal(batch, rolled, scores.shape[1]).flatten(0, 1).index_select(0, places)
        losses = -precise(scores).masked_fill(~optimal, float("-inf")).logsumexp(-1)
        if self.label_smoothing:
            possible = scores > float("-inf")
            mean = scores.masked_fill(~possible, 0.0).sum(-1) / possible.sum(-1)
            losses = (1 - self.label_smoothing) * losses - self.label_smoothing * mean
        return losses.sum()

    def _optimal(self, batch: Batch, rolled: Steps, size: int) -> Bool[Tensor, "batch step action"]:
        if self.oracle is None:
            raise UserError("Imitation needs an oracle of the edits that were learnt: training gives it one.")
        mask = torch.zeros(*rolled.shape, size, dtype=torch.bool)
        taken = [[action for action in row if action != PAD] for row in rolled.tolist()]
        found = self.oracle.optimal(pairs_of(self.oracle, batch), [own[:-1] for own in taken])
        for row, steps in enumerate(found):
            for step, actions in enumerate(steps[: len(taken[row])]):
                mask[row, step, list(actions)] = True
        return mask.to(rolled.device)


def pairs_of(oracle: DynamicOracle, batch: Batch) -> list[Pair]:
    """Sources and targets of a batch, whose own actions write them."""
    lengths = (batch.source_lengths - 1).tolist()
    sources = [tuple(row[:length]) for row, length in zip(batch.source.tolist(), lengths, strict=True)]
    actions = [[one for one in row if one not in (PAD, EOS)] for row in batch.target_outputs.tolist()]
    return [(source, oracle.target(source, taken)) for source, taken in zip(sources, actions, strict=True)]


@torch.no_grad()
def roll_in(model: Seq2Seq, batch: Batch, rows: Bool[Tensor, " batch"]) -> Int[Tensor, "row step"]:
    """Actions that the model draws for some sentences of a batch, END last where it comes to it, else cut.

    Cut at a few more than the sentence's own actions.
    """
    with evaluating(model):
        memory, states = model.start(batch.source[rows], batch.source_lengths[rows])
        most = (batch.target_outputs[rows] != PAD).sum(1) + _EXTRA
        ids = torch.full((len(most), 1), BOS, device=most.device)
        done, taken = torch.zeros_like(ids, dtype=torch.bool), []
        for step in range(int(most.max())):
            logits, _, states = model.step(ids, memory, states)
            drawn = torch.multinomial(logits.squeeze(1).float().softmax(-1), 1)
            done = done | (step >= most).unsqueeze(1)
            ids = drawn.masked_fill(done, PAD)
            taken.append(ids)
            done = done | (ids == EOS)
            if bool(done.all()):
                break
    return torch.cat(taken, 1)


def _joined(static: TargetIds, rows: Bool[Tensor, " batch"], own: Int[Tensor, "row step"]) -> Int[Tensor, "batch _"]:
    """The actions of all sentences, with their own in the given rows, padded."""
    width = max(static.shape[1], own.shape[1])
    found = functional.pad(static, (0, width - static.shape[1]), value=PAD)
    found[rows] = functional.pad(own, (0, width - own.shape[1]), value=PAD)
    return found


def _shifted(actions: Steps) -> Steps:
    """The decoder's inputs before each of the actions: BOS, and those before."""
    before = functional.pad(actions[:, :-1], (1, 0), value=BOS)
    return before.masked_fill(before == EOS, PAD)
