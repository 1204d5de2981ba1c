"""Distillation of trained models into one, token by token."""

import math
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.data.batch import Batch, PairSequences
from seq2seq.errors import UserError, check_finite
from seq2seq.layers.output.output import Output
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.shapes import Written
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.objectives.references import weighed
from seq2seq.training.objectives.taught_tokens import TaughtTokens, TopIds, TopScores
from seq2seq.training.objectives.wrapping import WrappingObjective

RowScores = Float[Tensor, "rows vocabulary"]
Rows = Float[Tensor, "rows feature"]


class Distillation(WrappingObjective):
    """Cross-entropy with what teachers say of every token (Kim & Rush 2016, eq. 4), mixed with the base's loss.

    Teachers are runs; several are one ensemble, the mean of their probabilities. The loss is `weight` times
    temperature^2 * -sum q log p, both distributions of scores over `temperature` (Hinton et al. 2015), and for the
    rest the base's. Teachers read what the model reads, without dropout. Whoever builds it supplies their models.

    With `top`, q is of that many tokens alone, the most probable ones, whose shares sum to 1. Teachers read the pairs
    of train once, before the first step, and what they say is kept; at the size of the vocabulary all is as without.
    """

    def __init__(
        self,
        *,
        teachers: Sequence[str] | str,
        weight: float = 0.5,
        temperature: float = 1.0,
        top: int | None = None,
        base: Objective | None = None,
    ) -> None:
        check_finite(temperature=temperature)
        self.teachers = (teachers,) if isinstance(teachers, str) else tuple(teachers)
        if not self.teachers:
            raise UserError("teachers must name at least one run, but is empty: give teachers=[RUN].")
        if not 0 < weight <= 1:
            raise UserError(f"weight must be above 0 and at most 1, but is {weight}.")
        if temperature <= 0:
            raise UserError(f"temperature must be above 0, but is {temperature}.")
        if top is not None and top < 1:
            raise UserError(f"top must be at least 1, or null for all tokens, but is {top}.")
        super().__init__(base or CrossEntropy())
        if type(self.base).__call__ is not Objective.__call__:
            raise UserError(
                f"base must be an objective of one pass, which it shares, but {type(self.base).__name__} makes its own."
            )
        self.weight = weight
        self.temperature = temperature
        self.top = top
        self.models: Sequence[Seq2Seq] = ()
        self.pairs: PairSequences | None = None  # of train, where what is said of them is to be kept
        self.taught: TaughtTokens | None = None

    def check(self, model: Seq2Seq) -> None:
        """Check the base's needs, and that no token of the model has exactly no probability. Raises UserError."""
        super().check(model)
        model.output.refuse_samples("Distillation")
        if model.output.normalizer != "softmax":
            raise UserError(
                "Distillation needs an output by softmax, as what the model can never say has no logarithm, "
                f"but normalizer is {model.output.normalizer}: choose softmax, or distill=teachers."
            )
        if model.copying is not None:
            raise UserError(
                "Distillation needs models of the target vocabulary alone, but copying is on: choose copying=none, or "
                "distill=teachers."
            )

    def __call__(self, model: Seq2Seq, batch: Batch, inputs: Written) -> Tensor:
        return self._mixed(model, batch, inputs, model(batch.source, batch.source_lengths, inputs))

    def loss(self, model: Seq2Seq, batch: Batch, outputs: ModelOutputs) -> Tensor:
        """The loss of a batch, given what the model made of its true inputs."""
        return self._mixed(model, batch, batch.target_inputs, outputs)

    def _mixed(self, model: Seq2Seq, batch: Batch, inputs: Written, outputs: ModelOutputs) -> Tensor:
        base = self.base.loss(model, batch, outputs)
        self.likelihood, self.token_weights = self.base.likelihood, self.base.token_weights
        read = self._read(batch, inputs) if self.top is None else self._kept(batch, self.top)
        losses = partial(self._losses if self.top is None else self._losses_of_kept, model.output)
        taught = weighed(model.output.in_chunks(losses, batch.of_tokens(outputs.features), *read), self.token_weights)
        return self.weight * taught.sum() + (1 - self.weight) * base

    @torch.no_grad()
    def _read(self, batch: Batch, inputs: Written) -> list[Rows]:
        """Features that each teacher has of every real token."""
        assert self.models, "distillation needs its teachers' models"
        found = []
        for teacher in self.models:
            teacher.to(batch.source.device)  # does nothing from the second step on
            found.append(batch.of_tokens(teacher(batch.source, batch.source_lengths, inputs).features))
        return found

    def _kept(self, batch: Batch, top: int) -> list[Tensor]:
        """The teachers' scores and ids of every real token, from what they have said of train."""
        if self.taught is None:
            assert self.pairs is not None, "distillation needs train to keep what teachers say of it"
            models = [teacher.to(batch.source.device) for teacher in self.models]
            self.taught = TaughtTokens(models, self.pairs, top, batch.source.device)
            self.models = ()  # nobody reads with them again
        return list(self.taught.of(batch))

    def _losses_of_kept(self, output: Output, features: Rows, scores: TopScores, ids: TopIds) -> Float[Tensor, " rows"]:
        """The loss of every row beside the shares of its most probable tokens."""
        own = (output.log_probabilities(features) / self.temperature).log_softmax(-1)
        shares = (scores / self.temperature).softmax(-1)
        return -(shares * own.gather(-1, ids).masked_fill(shares == 0, 0.0)).sum(-1) * self.temperature**2

    def _losses(self, output: Output, features: Rows, *read: Rows) -> Float[Tensor, " rows"]:
        """The loss of every row beside the logarithm of the teachers' mean probabilities."""
        own = output.log_probabilities(features)
        with torch.no_grad():
            scores = [one.output.log_probabilities(rows) for one, rows in zip(self.models, read, strict=True)]
            taught = torch.stack(scores).logsumexp(0) - math.log(len(scores))
        return distillation_losses(own, taught, self.temperature)


def distillation_losses(student: RowScores, teacher: RowScores, temperature: float = 1.0) -> Float[Tensor, " rows"]:
    """The loss of every row, temperature^2 * -sum q log p, from log-probabilities; where q is 0, p has no part."""
    if temperature != 1:
        student, teacher = ((scores / temperature).log_softmax(-1) for scores in (student, teacher))
    weights = teacher.exp()
    return -(weights * student.masked_fill(weights == 0, 0.0)).sum(-1) * temperature**2


def parts_of(objective: Objective) -> Iterator[Objective]:
    """The objective and, one below the other, those that it stands on."""
    yield objective
    if isinstance(base := getattr(objective, "base", None), Objective):
        yield from parts_of(base)
