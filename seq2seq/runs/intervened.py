"""Scores and losses of a run while interventions change what it computes."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from seq2seq.data.examples import Example
from seq2seq.interpretation.gate_means import GateMeans, Means
from seq2seq.interpretation.intervention import Intervention, intervening, visibly
from seq2seq.interpretation.other_input import GateOfOther, SeenSources
from seq2seq.metrics.scores import Scores
from seq2seq.metrics.significance import Difference, Draws, differences
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.evaluation import Evaluation, evaluate
from seq2seq.runs.probed_lines import forced_lines
from seq2seq.shapes import SentenceCounts, TrialScores, TrialTotals
from seq2seq.translation.translator import Translator


@dataclass(frozen=True)
class InterventionResult:
    """Texts and losses of a run on examples while something was changed, or nothing; `place` and `change` say what."""

    place: str
    change: str
    evaluation: Evaluation
    losses: SentenceCounts  # of the sentences: nats, and tokens with the end
    course: list[float]  # nats of a token at each position of targets
    step: int | None = None  # the only one of the cell at which it was changed

    @property
    def loss(self) -> float:
        """Nats per target token."""
        return float(_loss(self.losses.sum(0)[None])["loss"][0])

    @property
    def not_finite(self) -> int:
        """The number of sentences whose loss is not finite, as a token of theirs has no probability at all."""
        return int((~np.isfinite(self.losses[:, 0])).sum())


class InterventionTrials:
    """A model on examples: as its translator runs it, and with one change after the other, by its cells' equations.

    The translator may hold the model in another form, packed, which has no gates to set.
    """

    def __init__(
        self,
        model: Seq2Seq,
        translator: Translator,
        examples: Sequence[Example],
        metrics: Mapping[str, Scores],
        draws: Draws,
    ) -> None:
        self.model, self.translator, self.tokenizers = model, translator, translator.tokenizers
        self.examples, self.metrics, self.draws = examples, metrics, draws
        self.sources = [example.source for example in examples]
        self.targets = self.tokenizers.encode_pairs(self.sources, [example.targets[0] for example in examples])[1]

    def means(self) -> Means:
        """The mean of every gate over the steps of the examples, each forced to its first target."""
        limit = {"max_source_tokens": self.translator.max_source_tokens}
        lines, means = forced_lines(self.tokenizers, "to=[mean]", self.examples, limit), GateMeans(self.model)
        for batch in lines.batches(next(self.model.parameters()).device):
            means.add(*batch)
        return means.means()

    @cached_property
    def baseline(self) -> InterventionResult:
        """The result of the run as it is, in the form that evaluate runs."""
        return self._result("none", "", self.translator)

    def result(self, intervention: Intervention) -> InterventionResult:
        """The result with one change."""
        visible = copy(self.translator)
        visible.stepper, visible.other_forms = self.model, []
        if isinstance(intervention, GateOfOther):
            visible.stepper = intervention.others.seen
            if intervention.others.cell != intervention.cell:
                with visibly(self.model), intervention.others.recording(self.model, intervention.cell):
                    self._result("", "", visible)
        with intervening(self.model, intervention):
            return self._result(intervention.place, intervention.change, visible, intervention.step)

    def report(self, result: InterventionResult) -> dict[str, Any]:
        """The record of a result in types of JSON, with how far it is from the run as it is."""
        found = {
            "place": result.place,
            "change": result.change,
            **({} if result.step is None else {"step": result.step}),
            "scores": result.evaluation.report()["scores"],
            "loss": round(result.loss, 4),
            **({"not_finite": result.not_finite} if result.not_finite else {}),
        }
        if result is self.baseline:
            return found
        return found | {"differences": {name: _written(one) for name, one in self.differences(result).items()}}

    def differences(self, result: InterventionResult) -> dict[str, Difference]:
        """Differences that a change makes to every score, and to the loss."""
        parts = [
            differences(
                result.evaluation.counts[kind], self.baseline.evaluation.counts[kind], metric.scores, self.draws
            )
            for kind, metric in self.metrics.items()
        ]
        parts.append(self._of_losses(result))
        return {name: one for part in parts for name, one in part.items()}

    def _of_losses(self, result: InterventionResult) -> dict[str, Difference]:
        """The difference in loss; without an interval where that of a sentence is not finite."""
        if result.not_finite or self.baseline.not_finite:
            return {"loss": Difference(result.loss - self.baseline.loss, None, None, None)}
        return differences(result.losses, self.baseline.losses, _loss, self.draws)

    def _result(self, place: str, change: str, translator: Translator, step: int | None = None) -> InterventionResult:
        _begin(translator, "search")
        evaluation = evaluate(translator, self.examples, self.metrics)
        _begin(translator, "score")
        scored = [found.token_scores for found in translator.score(self.sources, self.targets)]
        losses = np.array([[-sum(own), len(own)] for own in scored])
        longest = max(map(len, scored))
        course = [float(np.mean([-own[place] for own in scored if len(own) > place])) for place in range(longest)]
        return InterventionResult(place, change, evaluation, losses, course, step)


def _begin(translator: Translator, task: str) -> None:
    if isinstance(translator.stepper, SeenSources):
        translator.stepper.task = task


def _loss(totals: TrialTotals) -> dict[str, TrialScores]:
    return {"loss": totals[:, 0] / totals[:, 1]}


def _written(difference: Difference) -> dict[str, Any]:
    values = asdict(difference)
    interval = values["interval"] and [round(end, 4) for end in values["interval"]]
    return {"difference": round(values["difference"], 4)} | ({"interval": interval} if interval else {})
