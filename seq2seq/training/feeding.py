"""Tokens of the model's own in the place of true ones, as inputs of the decoder that is trained."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError
from seq2seq.interpretation.recording import evaluating
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.precise import precise
from seq2seq.shapes import SoftIds, TargetIds
from seq2seq.symbols import BOS, EOS, PAD

_UNITS = ("token", "sequence")
_FEEDS = ("argmax", "sample", "mixture")
_MIXED = 5  # tokens of a mixture, unless told

Replaced = Bool[Tensor, "batch target"]
Rows = Float[Tensor, "row feature"]


@dataclass(frozen=True)
class Feeding:
    """Options of what the decoder reads in the place of true tokens.

    `floor` is the least share of true tokens. A coin is thrown for every token, or for a whole sequence. The model's
    token is the likeliest (`argmax`), one drawn from its distribution (`sample`), or a `mixture`: the mean of the
    embeddings of the `top_k` likeliest, by their probabilities among themselves (Mihaylova & Martins 2019). Each of the
    `passes` predicts from the inputs of the one before: so many tokens back do errors reach (Duckworth et al. 2019).
    Raises UserError if a value is out of range, or without effect.
    """

    floor: float = 0.7
    unit: str = "token"
    feed: str = "argmax"
    top_k: int | None = None
    passes: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.floor <= 1:
            raise UserError(f"floor must be between 0 and 1, but is {self.floor}.")
        for name, known in (("unit", _UNITS), ("feed", _FEEDS)):
            if getattr(self, name) not in known:
                raise UserError(f"{name} must be one of {', '.join(known)}, but is {getattr(self, name)}.")
        if self.top_k is not None and self.feed != "mixture":
            raise UserError(f"top_k={self.top_k} needs feed=mixture, but that is {self.feed}: leave top_k at null.")
        for name, value in (("top_k", self.top_k), ("passes", self.passes)):
            if value is not None and value < 1:
                raise UserError(f"{name} must be at least 1, but is {value}.")

    def check(self, model: Seq2Seq) -> None:
        """Check that a model can be fed so. Raises UserError if not."""
        if self.passes > 1 and not model.decoder.whole_target:
            raise UserError(
                f"passes must be 1 with input feeding, which reads its own tokens one by one, but is {self.passes}."
            )

    def replaced(self, inputs: TargetIds, truth: float) -> Replaced:
        """Tell for each of the inputs whether the model's own takes its place, which it never does of PAD and BOS."""
        shape = inputs.shape if self.unit == "token" else (len(inputs), 1)
        return (torch.rand(shape, device=inputs.device) >= truth) & (inputs != PAD) & (inputs != BOS)

    @torch.no_grad()
    def inputs(self, model: Seq2Seq, batch: Batch, replaced: Replaced) -> TargetIds | SoftIds:
        """The decoder's inputs, with what the model says, in evaluation mode, in the places to be replaced."""
        with evaluating(model):
            return (self._at_once if model.decoder.whole_target else self._step_by_step)(model, batch, replaced)

    def _at_once(self, model: Seq2Seq, batch: Batch, replaced: Replaced) -> TargetIds | SoftIds:
        memory, states = model.encode(batch.source, batch.source_lengths)
        truth, count = batch.target_inputs, self._count(model)
        inputs = self._read(self._sure(truth, count))
        for _ in range(self.passes):
            features = model.unroll(inputs, memory, states).features
            # (batch, target, feature) -> (batch target, feature) -> (batch target, k) -> (batch, target, k)
            said = [part.unflatten(0, truth.shape) for part in self._said(model, features.flatten(0, 1))]
            # What is said at one position is the input of the next; column 0 comes from the end, but is never taken.
            inputs = self._read(self._mixed(replaced, [part.roll(1, 1) for part in said], truth))
        return inputs

    def _step_by_step(self, model: Seq2Seq, batch: Batch, replaced: Replaced) -> TargetIds | SoftIds:
        memory, states = model.start(batch.source, batch.source_lengths)
        read = [self._sure(batch.target_inputs[:, :1], self._count(model))]
        for place in range(1, batch.target_inputs.shape[1]):
            features, _, states = model.features(self._read(read[-1]), memory, states)
            said = [part.unsqueeze(1) for part in self._said(model, features.squeeze(1))]
            now = slice(place, place + 1)
            read.append(self._mixed(replaced[:, now], said, batch.target_inputs[:, now]))
        return self._read(SoftIds(*(torch.cat(parts, 1) for parts in zip(*read, strict=True))))

    def _said(self, model: Seq2Seq, rows: Rows) -> SoftIds:
        """The tokens that the model says after each row, `row k`, with their weights; never PAD, BOS or EOS."""
        scores = precise(model.output.barred(rows))
        scores[:, EOS] = float("-inf")  # as it is of PAD and BOS already
        if self.feed == "argmax":
            ids = scores.argmax(-1, keepdim=True)
            return SoftIds(ids, torch.ones_like(ids, dtype=scores.dtype))
        probabilities = model.output.probabilities(scores)
        if self.feed == "sample":
            ids = torch.multinomial(probabilities, 1)
            return SoftIds(ids, torch.ones_like(ids, dtype=scores.dtype))
        best = probabilities.topk(self._count(model), dim=-1)
        return SoftIds(best.indices, best.values / best.values.sum(-1, keepdim=True))

    def _count(self, model: Seq2Seq) -> int:
        """The number of tokens in one place: of a mixture no more than the model has."""
        return min(self.top_k or _MIXED, model.decoder.embedding.vocabulary_size) if self.feed == "mixture" else 1

    def _sure(self, ids: TargetIds, count: int) -> SoftIds:
        """The tokens as mixtures of one alone, among others of no weight."""
        several = ids.unsqueeze(-1).expand(*ids.shape, count)
        weights = torch.zeros(several.shape, device=ids.device)
        weights[..., 0] = 1
        return SoftIds(several, weights)

    def _mixed(self, replaced: Replaced, said: Sequence[Tensor], truth: TargetIds) -> SoftIds:
        """True tokens, and those that were said where they are replaced."""
        sure, where = self._sure(truth, said[0].shape[-1]), replaced.unsqueeze(-1)
        return SoftIds(*(torch.where(where, new, old) for new, old in zip(said, sure, strict=True)))

    def _read(self, mixtures: SoftIds) -> TargetIds | SoftIds:
        """The form that decoders read: plain tokens, where there is one in each place."""
        return mixtures if self.feed == "mixture" else mixtures.ids[..., 0]


LIKELIEST = Feeding()
