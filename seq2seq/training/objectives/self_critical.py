"""Self-critical sequence training."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import Lengths, SourceIds
from seq2seq.training.objectives.judge import Judge
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.objectives.sampled import SampledObjective, found_by, log_probabilities, new_seed

BASELINES = ("greedy", "mean")


class SelfCritical(SampledObjective):
    """REINFORCE with the model's own baseline (Rennie et al. 2017, eq. 7): -(reward - baseline) log p(sample).

    The reward is what the risk takes away. The baseline is the risk of the greedy translation, or with `mean` that of
    the other samples of the sentence (Kool et al. 2019): outputs of equal risk have no gradient at all. The loss of a
    sentence is the mean over its `samples`.
    """

    def __init__(
        self,
        *,
        start: float = 0.8,
        base: Objective | None = None,
        base_weight: float = 0.1,
        samples: int = 4,
        baseline: str = "greedy",
        risk: Sequence[str] | str = (),
    ) -> None:
        super().__init__(start=start, base=base, base_weight=base_weight, samples=samples, risk=risk)
        if baseline not in BASELINES:
            raise UserError(f"baseline must be one of {', '.join(BASELINES)}, but is {baseline!r}.")
        if baseline == "mean" and samples < 2:
            raise UserError(f"samples must be at least 2 where the baseline is their mean, but is {samples}.")
        self.baseline = baseline

    def risk_of(
        self, model: Seq2Seq, batch: Batch, rows: Int[Tensor, " rows"], given: tuple[SourceIds, Lengths], judge: Judge
    ) -> Tensor:
        candidates = found_by(Sampling(samples=self.samples, seed=new_seed(), length=judge.length), model, given)
        of_samples = torch.tensor(judge.risks(batch, rows.tolist(), judge.texts(candidates)), dtype=torch.double)
        if self.baseline == "mean":
            excess = above_the_others(of_samples)
        else:
            greedy = found_by(GreedySearch(length=judge.length), model, given)
            of_greedy = torch.tensor(judge.risks(batch, rows.tolist(), judge.texts(greedy)), dtype=torch.double)
            excess = of_samples - of_greedy
        scores, _ = log_probabilities(model, given, candidates)
        return self_critical_loss(scores.unflatten(0, excess.shape), excess.to(scores))


def self_critical_loss(
    log_probabilities: Float[Tensor, "sentence sample"], excess: Float[Tensor, "sentence sample"]
) -> Tensor:
    """The sum over sentences of the mean over samples of log-probability times the risk above the baseline."""
    return (log_probabilities * excess).mean(1).sum()


def above_the_others(risks: Float[Tensor, "sentence sample"]) -> Float[Tensor, "sentence sample"]:
    """The excess of each sample's risk over the mean of the others': exactly 0 where all are equal."""
    differences = risks.unsqueeze(2) - risks.unsqueeze(1)  # (sentence, sample, other)
    return differences.sum(2) / (risks.shape[1] - 1)
