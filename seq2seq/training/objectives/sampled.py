"""Objectives of what a model itself says."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq.data.batch import Batch
from seq2seq.data.sequences import TokenSequences
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.search import Search
from seq2seq.decoding.stepper import select
from seq2seq.errors import UserError
from seq2seq.interpretation.recording import evaluating
from seq2seq.masking import length_mask
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import Lengths, SourceIds
from seq2seq.symbols import EOS
from seq2seq.training.objectives.judge import Candidates, Judge
from seq2seq.training.objectives.late import LateObjective
from seq2seq.training.objectives.objective import Objective

_SEEDS = 2**31


class SampledObjective(LateObjective):
    """An objective of risks: of outputs that the model finds for the batch's sources, judged by their texts.

    `risk` names scores of the metrics, whose lacks are added up; none: what suits the metrics. Whoever builds it
    supplies the judge. Outputs are found, and their probabilities computed anew by one pass that has the gradient, in
    evaluation mode: both are of the model that translates.
    """

    judge: Judge | None = None

    def __init__(
        self, *, start: float, base: Objective | None, base_weight: float, samples: int, risk: Sequence[str] | str
    ) -> None:
        super().__init__(start=start, base=base, base_weight=base_weight)
        if samples < 1:
            raise UserError(f"samples must be at least 1, but is {samples}.")
        self.samples = samples
        self.risk = (risk,) if isinstance(risk, str) else tuple(risk)

    def check(self, model: Seq2Seq) -> None:
        """Check the base's needs, and that all that is said has a text. Raises UserError if it has not."""
        super().check(model)
        if model.copying is not None:
            raise UserError(
                f"{type(self).__name__} needs outputs whose texts are known from their ids, which those of copied "
                "pieces are not, but copying is on: choose copying=none, or another objective."
            )

    def term(self, model: Seq2Seq, batch: Batch) -> Tensor:
        rows = batch.first_rows()  # a source once, whose risk knows all references
        if not len(rows):  # a silent batch
            return torch.zeros((), device=rows.device)
        assert self.judge is not None, "an objective of risks needs a judge"
        source, lengths = batch.source[rows], batch.source_lengths[rows]
        with in_evaluation(model):
            return self.risk_of(model, batch, rows, (source, lengths), self.judge)

    @abstractmethod
    def risk_of(
        self,
        model: Seq2Seq,
        batch: Batch,
        rows: Int[Tensor, " rows"],
        given: tuple[SourceIds, Lengths],
        judge: Judge,
    ) -> Tensor:
        """The term of those rows of the batch, whose sources and lengths are given."""


@contextmanager
def in_evaluation(model: Seq2Seq) -> Iterator[None]:
    """Put a model into evaluation mode, but for kernels that drop nothing anyway: cuDNN's backward pass needs them."""
    with evaluating(model):
        for module in model.modules():
            if isinstance(module, nn.RNNBase):
                module.train()
        yield


def new_seed() -> int:
    """A seed that is a function of the step's own."""
    return int(torch.randint(_SEEDS, ()))


def found_by(search: Search, model: Seq2Seq, given: tuple[SourceIds, Lengths]) -> list[list[list[int]]]:
    """Token ids of all hypotheses that a search finds for every source, EOS behind those that end."""
    found = search(model, *given, Request(n_best=search.width))
    torch.clear_autocast_cache()  # of weights that were cast where there is no gradient
    return [[[*one.ids, EOS] if one.finished else list(one.ids) for one in own] for own in found]


def log_probabilities(
    model: Seq2Seq, given: tuple[SourceIds, Lengths], candidates: Candidates
) -> tuple[Float[Tensor, " candidates"], Int[Tensor, " candidates"]]:
    """Log-probabilities of all candidates, token by token as they are; and the rows of their sources."""
    source, lengths = given
    owners = torch.tensor([row for row, own in enumerate(candidates) for _ in own], device=source.device)
    ids = TokenSequences.from_ids([list(ids) for own in candidates for ids in own])
    target, target_lengths = (part.to(source.device) for part in ids.padded(torch.arange(len(owners)), end=False))
    inside = length_mask(target_lengths, target.shape[1])
    memory, states = select(model.start(source, lengths), owners)
    scores = model.token_scores(target.where(inside, EOS), memory, states)
    return scores.where(inside, 0.0).sum(1), owners
