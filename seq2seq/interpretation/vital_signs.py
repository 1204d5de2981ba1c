"""Vital signs of a model on given pairs: stuck gates, dead units, rank of states, attention, and what it leans on."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq.interpretation.attention_change import AttentionChange
from seq2seq.interpretation.gates import attention_entropy
from seq2seq.interpretation.intervention import Intervention, intervening
from seq2seq.interpretation.recording import evaluating
from seq2seq.interpretation.state_reset import StateReset
from seq2seq.interpretation.trace import CellTrace, Trace, named_cells, target_lengths, trace
from seq2seq.masking import length_mask
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import Lengths, Source, TargetIds

_SHUT, _OPEN = 0.01, 0.99  # of a gate
_STILL = 0.01  # of a hidden state, between its lowest and its highest


@dataclass(frozen=True)
class VitalSign:
    """A share between 0 and 1 that says how well a part of a model is; `gate` is that of which it is, if of one.

    Kinds are `open` and `shut`, units of a gate above 0.99 or below 0.01 at every step, where `kept` is of the gate
    that keeps the memory and open; `dead`, units whose hidden state stays within 0.01; `rank`, the effective rank of
    the hidden states, exp H of their normalised singular values (Roy and Vetterli 2007), of what it could be;
    `entropy`, of attention, of that of even weights; and `without_context` and `without_state`, next tokens that are
    right and still are with a context of 0, or with the decoder's state at 0 before every step: not of a tagger,
    nor of a decoder that has no attention, or no cells.
    """

    kind: str
    place: str
    value: float
    gate: str = ""

    @property
    def tag(self) -> str:
        """The name among scalars."""
        return "/".join(part for part in ("vital_signs", self.kind, self.place, self.gate) if part)


@dataclass
class _OfCell:
    """Sums over the steps of one cell."""

    keep_gate: str | None
    low: dict[str, Tensor] = field(default_factory=dict)
    high: dict[str, Tensor] = field(default_factory=dict)
    steps: int = 0
    sums: Tensor | None = None
    products: Tensor | None = None

    def add(self, cell: CellTrace) -> None:
        hidden = cell.hidden[cell.mask].double()
        for name, values in (*cell.gates.items(), ("", cell.hidden)):
            found = values[cell.mask].aminmax(dim=0)
            self.low[name] = torch.minimum(self.low.get(name, found.min), found.min)
            self.high[name] = torch.maximum(self.high.get(name, found.max), found.max)
        sums, products = hidden.sum(0), hidden.T @ hidden
        self.steps += len(hidden)
        self.sums = sums if self.sums is None else self.sums + sums
        self.products = products if self.products is None else self.products + products

    def signs(self, place: str) -> Iterator[VitalSign]:
        for gate in self.low.keys() - {"", "candidate"}:
            kind = "kept" if gate == self.keep_gate else "open"
            yield VitalSign(kind, place, _share(self.low[gate] > _OPEN), gate)
            yield VitalSign("shut", place, _share(self.high[gate] < _SHUT), gate)
        yield VitalSign("dead", place, _share(self.high[""] - self.low[""] < _STILL))
        assert self.sums is not None
        assert self.products is not None
        if (most := min(len(self.sums), self.steps - 1)) > 0 and self.products.isfinite().all():
            spread = self.products - self.sums.outer(self.sums) / self.steps
            yield VitalSign("rank", place, effective_rank(torch.linalg.eigvalsh(spread).clamp(min=0).sqrt()) / most)


class VitalSigns:
    """Signs of a model, gathered over batches of pairs; nothing of it is changed, and no random numbers are drawn."""

    def __init__(self, model: Seq2Seq) -> None:
        self.model = model
        self._cells: dict[str, _OfCell] = {}
        self._entropy, self._steps = 0.0, 0
        self._changes = _changes(model)
        self._right, self._still = 0, dict.fromkeys(self._changes, 0)

    @torch.no_grad()
    def add(self, source: Source, lengths: Lengths, target: TargetIds) -> None:
        """Count in pairs, whose targets, `batch target`, begin with BOS and are forced."""
        found = trace(self.model, source, lengths, target)
        for name, cell in found.cells.items():
            self._cells.setdefault(name, _OfCell(cell.keep_gate)).add(cell)
        self._look_at_attention(found)
        right = self._right_tokens(source, lengths, target)
        self._right += int(right.sum())
        for kind, changes in self._changes.items():
            with intervening(self.model, *changes):
                self._still[kind] += int((right & self._right_tokens(source, lengths, target)).sum())

    def signs(self) -> list[VitalSign]:
        """The signs, those of cells first; none of what the pairs do not show."""
        found = [sign for name, cell in self._cells.items() for sign in cell.signs(name)]
        found = sorted(found, key=lambda sign: (list(self._cells).index(sign.place), sign.kind, sign.gate))
        if self._steps:
            found.append(VitalSign("entropy", "attention", self._entropy / self._steps))
        if self._right:
            found += [VitalSign(kind, "decoder", count / self._right) for kind, count in self._still.items()]
        return found

    def _look_at_attention(self, found: Trace) -> None:
        several = found.source_lengths > 1  # one position is looked at evenly, always
        if not self.model.decoder.attention.attends or not bool(several.any()):
            return
        shares = attention_entropy(found).double()[several] / found.source_lengths[several].double().log()[:, None]
        self._entropy += float(shares.sum())  # 0 behind the end
        self._steps += int(found.target_lengths[several].sum())

    def _right_tokens(self, source: Source, lengths: Lengths, target: TargetIds) -> Bool[Tensor, "batch token"]:
        """Tell of each token of the targets whether it is the likeliest next one."""
        with evaluating(self.model):
            features, *_ = self.model(source, lengths, target[:, :-1])
            scores = self.model.output.log_probabilities(features.flatten(0, 1))
        tokens = target[:, 1:]
        return (scores.argmax(-1).view_as(tokens) == tokens) & length_mask(target_lengths(target), tokens.shape[1])


def _changes(model: Seq2Seq) -> dict[str, list[Intervention]]:
    """Changes of a decoder by the sign that they are for; none of a tagger, which leans on its encoder alone."""
    if model.tags:
        return {}
    cells = [name for name in named_cells(model) if name.startswith("decoder")]
    changes: dict[str, list[Intervention]] = {
        "without_context": [AttentionChange("cut")] if model.decoder.attention.attends else [],
        "without_state": [StateReset(name) for name in cells],
    }
    return {kind: wanted for kind, wanted in changes.items() if wanted}


def effective_rank(sizes: Float[Tensor, " _"]) -> float:
    """The effective rank of singular values: the number of equal ones that would be as spread; 0 where all are 0."""
    shares = sizes / sizes.sum().clamp(min=1e-300)
    return math.exp(float(torch.special.entr(shares).sum())) if float(sizes.sum()) else 0.0


def _share(units: Bool[Tensor, " units"]) -> float:
    return float(units.double().mean())
