"""Minimum risk training."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.errors import UserError, check_finite
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import Lengths, SourceIds
from seq2seq.symbols import EOS
from seq2seq.training.objectives.judge import Candidates, Judge, targets_of
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.objectives.sampled import SampledObjective, found_by, log_probabilities, new_seed


class MinimumRisk(SampledObjective):
    """The expected risk of a sentence (Shen et al. 2016, eq. 11): sum over a set S of Q(y) risk(y).

    S holds `samples` drawn from the model, the `beam` best and, with `reference`, the truth; of equal texts one. Q is
    p(y)^alpha over S. Rank `alpha` by the length of targets: 0.005 in the paper, for sentences; words want 0.5 to 1.
    """

    def __init__(
        self,
        *,
        start: float = 0.8,
        base: Objective | None = None,
        base_weight: float = 0.1,
        alpha: float = 0.5,
        samples: int = 16,
        beam: int = 4,
        reference: bool = False,
        risk: Sequence[str] | str = (),
    ) -> None:
        check_finite(alpha=alpha)
        super().__init__(start=start, base=base, base_weight=base_weight, samples=samples, risk=risk)
        if alpha <= 0:
            raise UserError(f"alpha must be above 0, but is {alpha}.")
        if beam < 0:
            raise UserError(f"beam must be at least 0, but is {beam}: 0 for samples alone.")
        if samples + beam + reference < 2:
            raise UserError("samples must be at least 2 where there is no beam, as a risk is weighed among several.")
        self.alpha = alpha
        self.beam = beam
        self.reference = reference

    def risk_of(
        self, model: Seq2Seq, batch: Batch, rows: Int[Tensor, " rows"], given: tuple[SourceIds, Lengths], judge: Judge
    ) -> Tensor:
        found = found_by(Sampling(samples=self.samples, seed=new_seed(), length=judge.length), model, given)
        if self.beam:
            best = found_by(BeamSearch(beam_size=self.beam, length=judge.length), model, given)
            found = [[*first, *own] for first, own in zip(best, found, strict=True)]
        if self.reference:
            found = [[*own, [*ids, EOS]] for own, ids in zip(found, targets_of(batch, rows.tolist()), strict=True)]
        candidates, texts = distinct(found, judge.texts(found))
        risks = judge.risks(batch, rows.tolist(), texts)
        scores, owners = log_probabilities(model, given, candidates)
        places = torch.tensor([place for own in candidates for place in range(len(own))], device=owners.device)
        shape = (len(candidates), max(map(len, candidates)))
        table = scores.new_full(shape, float("-inf")).index_put((owners, places), scores)
        of_risks = torch.tensor([risk for own in risks for risk in own], device=table.device, dtype=table.dtype)
        return expected_risks(table, table.new_zeros(shape).index_put((owners, places), of_risks), self.alpha).sum()


def expected_risks(
    log_probabilities: Float[Tensor, "sentence place"], risks: Float[Tensor, "sentence place"], alpha: float
) -> Float[Tensor, " sentence"]:
    """The expected risk of every sentence; a log-probability of -inf is none."""
    return ((alpha * log_probabilities).softmax(-1) * risks).sum(-1)


def distinct(
    candidates: Candidates, texts: Sequence[Sequence[str]]
) -> tuple[list[list[Sequence[int]]], list[list[str]]]:
    """The first candidates of each text, with their texts."""
    kept: list[list[Sequence[int]]] = []
    shown: list[list[str]] = []
    for own, of_own in zip(candidates, texts, strict=True):
        first: dict[str, Sequence[int]] = {}
        for ids, text in zip(own, of_own, strict=True):
            first.setdefault(text, ids)
        kept.append(list(first.values()))
        shown.append(list(first))
    return kept, shown
