"""Attributions: what each source token gave to the score of each target token."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.interpretation.recording import evaluating
from seq2seq.interpretation.trace import TargetScores, check_target
from seq2seq.masking import length_mask
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import Lengths, Source, TargetIds, TimeVectors

SCORES = ("log_probability", "logit")
_ROWS, _BATCH = 16, 256  # of target tokens, and of points on their lines, that integrated gradients take at a time

Shares = Float[Tensor, "target source"]
Score = Callable[[TimeVectors], TargetScores]


@dataclass(frozen=True)
class Attribution:
    """Shares of a score, `target source`: a row per target token behind BOS and a column per source token.

    `delta` is what integrated gradients miss: the sum of a row less score(source) - score(baseline). Where a token has
    no probability, with the source or with what it is compared to, shares and `delta` are NaN.
    """

    method: str
    score: str
    shares: Shares
    delta: Float[Tensor, " target"] | None = None


def integrated_gradients(
    model: Seq2Seq, source: Source, target: TargetIds, *, score: str = "log_probability", steps: int = 32
) -> Attribution:
    """The attribution by gradients summed from a baseline to the source's vectors (Sundararajan et al. 2017).

    The path is a straight line from the zero vector for every token: as many tokens, and nothing about them. Rows sum
    to score(source) - score(baseline) up to `delta`, which more steps make smaller. Ids are `1 source` and `1 target`,
    with BOS. Raises UserError at several sentences, below one step, and where captum is missing.
    """
    if steps < 1:
        raise UserError(f"steps of integrated gradients must be at least 1, but is {steps}.")
    try:
        from captum.attr import IntegratedGradients
    except ImportError:
        raise UserError("Integrated gradients need captum: pip install -e '.[interpret]'.") from None
    shares, deltas = [], []
    for first in range(0, target.shape[1] - 1, _ROWS):
        # No score depends on what comes later, so that need not be run.
        with _scoring(model, source, target[:, : first + _ROWS + 1], score) as (vectors, scores):
            rows = list(range(first, min(first + _ROWS, target.shape[1] - 1)))
            own, delta = IntegratedGradients(scores).attribute(
                vectors.expand(len(rows), -1, -1).contiguous(),
                target=rows,
                n_steps=steps,
                internal_batch_size=_BATCH,
                return_convergence_delta=True,
            )
        known = delta.detach().isfinite()
        shares.append(_where(known.unsqueeze(1), own.detach().sum(-1)))
        deltas.append(_where(known, delta.detach()))
    return Attribution("integrated gradients", score, torch.cat(shares), torch.cat(deltas))


def gradient_times_input(
    model: Seq2Seq, source: Source, target: TargetIds, *, score: str = "log_probability"
) -> Attribution:
    """The attribution by gradients of a token's score times the source's vectors: what a linear model owes each.

    Ids are `1 source` and `1 target`, with BOS. Raises UserError at several sentences.
    """
    with _scoring(model, source, target, score) as (vectors, scores):
        rows = vectors.expand(target.shape[1] - 1, -1, -1).clone().requires_grad_()
        with torch.enable_grad():
            found = scores(rows).diagonal()
            (gradient,) = torch.autograd.grad(found.sum(), rows)
    shares = (gradient * vectors).sum(-1)
    return Attribution("gradient x input", score, _where(found.detach().isfinite().unsqueeze(1), shares))


@torch.no_grad()
def occlusion(model: Seq2Seq, source: Source, target: TargetIds, *, score: str = "log_probability") -> Attribution:
    """The attribution of what a token's score loses when a source token becomes UNK (after Zeiler & Fergus 2014).

    Ids are `1 source` and `1 target`, with BOS. Raises UserError at several sentences.
    """
    with _scoring(model, source, target, score) as (vectors, scores):
        lost = scores(vectors) - scores(model.encoder.input(model.encoder.input.occluded(source)))
    return Attribution("occlusion", score, _where(lost.isfinite(), lost).T)


def _where(known: Tensor, values: Tensor) -> Tensor:
    """The values where they are known, NaN elsewhere."""
    return values.masked_fill(~known, torch.nan)


@contextmanager
def _scoring(
    model: Seq2Seq, source: Source, target: TargetIds, score: str
) -> Iterator[tuple[TimeVectors, Callable[[TimeVectors], Tensor]]]:
    """The vectors of one source, and a function from rows of such vectors to the scores of one target's tokens."""
    if score not in SCORES:
        raise UserError(f"score must be one of {', '.join(SCORES)}, but is {score!r}.")
    if len(source) != 1 or len(target) != 1:
        raise UserError(
            f"An attribution is of one sentence, but there are {len(source)} sources and {len(target)} targets: "
            "give them one by one."
        )
    check_target(target)

    def scores(vectors: TimeVectors) -> Tensor:
        return _scores(
            model, vectors, source.expand(len(vectors), *source.shape[1:]), target.expand(len(vectors), -1), score
        )

    # cuDNN's recurrent layers have no backward pass in evaluation mode.
    with evaluating(model), torch.backends.cudnn.flags(enabled=False):
        yield model.encoder.input(source).detach(), scores


def _scores(model: Seq2Seq, vectors: TimeVectors, source: Source, target: TargetIds, score: str) -> Tensor:
    """Scores of every token behind BOS, `batch target`; every row of vectors is of a whole source.

    What could be copied stays what the source says, whatever its vectors.
    """
    batch, size = vectors.shape[:2]
    lengths: Lengths = torch.full((batch,), size, device=vectors.device)
    memory, states = model.remember(model.encoder.encode(vectors, lengths), length_mask(lengths, size), source)
    features = model.unroll(target[:, :-1], memory, states).features
    score_rows = model.output.log_probabilities if score == "log_probability" else model.output.logits
    scores = score_rows(features.flatten(0, 1)).unflatten(0, features.shape[:2])
    return scores.gather(-1, target[:, 1:].unsqueeze(-1)).squeeze(-1)
