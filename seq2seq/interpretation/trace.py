"""Traces of everything that the cells of a model did while it read a source and wrote a given target."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.interpretation.recording import Record, Steps, encoder_records, evaluating, recording
from seq2seq.layers.copying import PointerOutput
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.masking import length_mask
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import AttentionWeights, Features, Lengths, Source, TargetIds, TimeMask
from seq2seq.symbols import BOS, PAD

TargetScores = Float[Tensor, "batch target"]


@dataclass(frozen=True, kw_only=True)
class CellTrace(Steps):
    """Gates and states of one cell after every step, `batch time units`, 0 where a sentence has ended.

    A backward cell's step i is the one at which it read position i, so it came before that of i - 1. `side` is source
    or target. `keep_gate` names the gate that says how much of the memory a step kept, if there is one.
    """

    name: str
    side: str
    lengths: Lengths
    keep_gate: str | None
    bounded: bool  # whether the candidate went through tanh

    @property
    def mask(self) -> TimeMask:
        """The mask, `batch time`, that is True at the steps of a sentence."""
        return length_mask(self.lengths, self.hidden.shape[1])


@dataclass(frozen=True)
class CopyTrace:
    """Copying of every target token: its share of the token's probability, and that which the switch gave it."""

    shares: TargetScores
    switch: TargetScores


@dataclass(frozen=True)
class Trace:
    """A record of what a model did on given pairs.

    Row j of `features`, `weights`, `logits` and `log_probabilities` is the step that wrote token j + 1 of the target;
    the last two are of that token, and they and `weights` are 0 where a target has ended. `copying` is None where the
    model does not copy.
    """

    cells: dict[str, CellTrace]
    source_lengths: Lengths
    target_lengths: Lengths
    features: Features
    weights: AttentionWeights
    logits: TargetScores
    log_probabilities: TargetScores
    copying: CopyTrace | None = None


@torch.no_grad()
def trace(model: Seq2Seq, source: Source, lengths: Lengths, target: TargetIds) -> Trace:
    """Force a model through targets, `batch target`, for sources, `batch source`, and return the trace.

    Targets begin with BOS. The model is in evaluation mode meanwhile and left as it was. Raises UserError if a target
    does not begin with BOS or has no token behind it.
    """
    check_target(target)
    records = _records(model)
    with evaluating(model), recording(records):
        features, weights, *_ = model(source, lengths, target[:, :-1])
        rows, steps = features.flatten(0, 1), features.shape[:2]
        logits, log_probabilities = (
            score(rows).unflatten(0, steps) for score in (model.output.logits, model.output.log_probabilities)
        )
    tokens, ends = target[:, 1:], target_lengths(target)
    cells = [_cell_trace(record, ends) for record in records]
    mask = length_mask(ends, weights.shape[1])
    return Trace(
        {cell.name: cell for cell in cells},
        lengths,
        ends,
        features[..., : model.decoder.feature_size],
        weights * mask.unsqueeze(-1),
        _scores_of(logits, tokens).where(mask, 0.0),
        _scores_of(log_probabilities, tokens).where(mask, 0.0),
        _copying(model.output, rows, tokens, mask) if isinstance(model.output, PointerOutput) else None,
    )


def _copying(output: PointerOutput, rows: Tensor, tokens: TargetIds, mask: TimeMask) -> CopyTrace:
    found = output.copied(rows, tokens.flatten())
    return CopyTrace(*(part.unflatten(0, tokens.shape).where(mask, 0.0) for part in found))


def named_cells(model: Seq2Seq) -> dict[str, Cell]:
    """Cells of a model by the names that traces give them."""
    return {record.name: record.cell for record in _records(model)}


def _records(model: Seq2Seq) -> list[Record]:
    decoder = [Record(f"decoder {number}", cell) for number, cell in enumerate(model.decoder.layers, 1)]
    return decoder if model.sourceless else encoder_records(model.encoder) + decoder


def _cell_trace(record: Record, target_lengths: Lengths) -> CellTrace:
    """The trace of a cell, its steps in the order of the sentence."""
    lengths = target_lengths if record.lengths is None else record.lengths
    side = "target" if record.layer is None else "source"
    found, cell = record.take(lengths), record.cell
    return CellTrace(
        *(found.gates, found.hidden, found.cell, found.filled),
        name=record.name,
        side=side,
        lengths=lengths,
        keep_gate=cell.keep_gate,
        bounded=cell.bounded,
    )


def check_target(target: TargetIds) -> None:
    """Check targets, `batch target`, before they are traced.

    Raises UserError if one does not begin with BOS or has no token behind it.
    """
    if target.shape[1] < 2 or not bool((target[:, 0] == BOS).all()) or not bool((target[:, 1] != PAD).all()):
        raise UserError("A target to trace must be BOS and at least one token, but one is not: put BOS before it.")


def target_lengths(target: TargetIds) -> Lengths:
    """The number of tokens behind BOS, `batch`."""
    return (target[:, 1:] != PAD).sum(1)


def _scores_of(scores: Float[Tensor, "batch target vocabulary"], tokens: TargetIds) -> TargetScores:
    return scores.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
