"""Batches of pairs: all that one training step sees."""

from copy import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from seq2seq.data.piece_links import PieceLinks
from seq2seq.data.references import EACH, shares_of
from seq2seq.data.sequences import TokenSequences
from seq2seq.shapes import Lengths, Source, TargetFrames, TargetIds
from seq2seq.symbols import BOS, PAD


@dataclass  # Lightning refuses to convert frozen ones, which it does where precision is bf16-true or 64-true
class Batch:
    """Pairs of sentences, padded to `batch source` and `batch target`.

    `target_inputs` start with BOS, `target_outputs` end with EOS. Targets that are frames start with NaN, which is
    their padding, too, and have no end.
    """

    source: Source
    source_lengths: Lengths
    target_inputs: TargetIds | TargetFrames
    target_outputs: TargetIds | TargetFrames
    # Target tokens (EOS counted) that the loss is divided by: those of the whole step, all its batches and processes.
    step_tokens: float
    # What each target token is aligned to, as even weights of source tokens, where the data tell.
    alignments: Float[Tensor, "batch target source"] | None = None
    # Numbers of the examples that rows are of, from 0, where several references of one are taken together.
    owners: Int[Tensor, " batch"] | None = None
    references: str = EACH  # what is made of their losses
    # Where there is a token to predict, among `batch target` as one axis: found here, before a device has to be asked.
    target_places: Int[Tensor, " tokens"] = field(init=False)

    def __post_init__(self) -> None:
        self.target_places = self.target_mask.flatten().nonzero().squeeze(1)

    @property
    def target_mask(self) -> Bool[Tensor, "batch target"]:
        """The mask, `batch target`, that is True where there is a token, or a frame, to predict."""
        return present(self.target_outputs)

    @property
    def positions(self) -> int:
        """The number of positions of both sides, padding and ends counted."""
        return self.source.shape[0] * self.source.shape[1] + self.target_mask.numel()

    def of_tokens(self, values: Tensor) -> Tensor:
        """The values, `batch target ...`, of tokens to predict, `tokens ...`."""
        return values.flatten(0, 1).index_select(0, self.target_places)

    def first_rows(self) -> Int[Tensor, " examples"]:
        """Rows that have a token to predict; of one example, where references are taken together, the first."""
        spoken = self.target_mask.any(1)
        if self.owners is not None:
            spoken = spoken & (self.owners.diff(prepend=self.owners[:1] - 1) != 0)
        return spoken.nonzero().squeeze(1)

    def twice(self) -> "Batch":
        """The batch with all its pairs, and behind them all of them again; the loss is divided by what it was."""
        doubled = copy(self)
        for name, part in vars(self).items():
            if isinstance(part, Tensor):
                setattr(doubled, name, torch.cat([part, part]))
        doubled.target_places = torch.cat([self.target_places, self.target_places + self.target_mask.numel()])
        if self.owners is not None:
            doubled.owners = torch.cat([self.owners, self.owners + len(self.owners)])
        return doubled

    def parts(self, count: int) -> list["Batch"]:
        """The batch in parts of like numbers of pairs, as many as asked for or as it has pairs; the loss of each is
        divided by what that of the whole was. References that are taken together stay so."""
        firsts = torch.arange(len(self.source))
        if self.owners is not None:
            firsts = (self.owners.diff(prepend=self.owners[:1] - 1) != 0).nonzero().squeeze(1).cpu()
        number = min(count, len(firsts))
        cuts = [int(firsts[len(firsts) * place // number]) for place in range(number)]
        return [self._rows(slice(*ends)) for ends in zip(cuts, [*cuts[1:], len(self.source)], strict=True)]

    def _rows(self, rows: slice) -> "Batch":
        return Batch(
            self.source[rows],
            self.source_lengths[rows],
            self.target_inputs[rows],
            self.target_outputs[rows],
            self.step_tokens,
            None if self.alignments is None else self.alignments[rows],
            None if self.owners is None else self.owners[rows] - self.owners[rows][0],
            self.references,
        )

    def to(self, device: torch.device | str, **options: Any) -> "Batch":
        """Move the tensors to a device and return them as a new batch; Lightning calls this.

        The host does not wait for a copy to CUDA, which comes out of memory that cannot be swapped out meanwhile.
        """
        to_cuda = torch.device(device).type == "cuda"
        moved = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                pinned = value.pin_memory() if to_cuda and value.device.type == "cpu" else value
                setattr(moved, name, pinned.to(device, **{"non_blocking": to_cuda} | options))
        return moved


def present(target: TargetIds | TargetFrames) -> Bool[Tensor, "batch target"]:
    """Tell where a padded target has tokens, or frames."""
    return ~target.isnan().any(-1) if target.is_floating_point() else target != PAD


def begun(outputs: TargetIds | TargetFrames) -> TargetIds | TargetFrames:
    """Inputs of a decoder that says a target: its beginning, and all of it but the last."""
    if outputs.is_floating_point():
        return functional.pad(outputs[:, :-1], (0, 0, 1, 0), value=float("nan"))
    return functional.pad(outputs[:, :-1], (1, 0), value=BOS)


@dataclass
class StreamBatch(Batch):
    """A batch whose rows go on where those of the batch before ended, but for the `fresh` ones, which begin anew.

    A `silent` one stands for rows that are not there, and goes on from nothing. Where batches can have fewer rows than
    the text is cut into, `rows` says how many those are, over all processes.
    """

    fresh: Bool[Tensor, " batch"] | None = None
    silent: bool = False
    rows: int | None = None


@dataclass(frozen=True)
class PairSequences:
    """Pairs of tokenised sentences: row i of one side answers row i of the other; `links` tell which pieces belong.

    `owners` are the numbers of the examples that pairs are of, ascending; `references` is what is made of their losses.
    """

    source: TokenSequences
    target: TokenSequences
    links: PieceLinks | None = None
    owners: Int[Tensor, " pairs"] | None = None
    references: str = EACH

    def __len__(self) -> int:
        return len(self.source)

    @property
    def together(self) -> Int[Tensor, " pairs"] | None:
        """The owners, where pairs of one must be in one batch."""
        return None if self.references == EACH else self.owners

    def followed_by(self, others: "PairSequences") -> "PairSequences":
        """The pairs, and others behind them, each of an example of its own."""
        owners = self.owners
        if owners is not None:
            first = int(owners[-1]) + 1 if len(owners) else 0
            owners = torch.cat([owners, torch.arange(first, first + len(others))])
        return PairSequences(
            self.source.followed_by(others.source),
            self.target.followed_by(others.target),
            owners=owners,
            references=self.references,
        )

    def chosen(self, rows: Tensor, owners: Tensor) -> "PairSequences":
        """The given pairs, in their order, each as often as it is given, with new owners and without links."""
        sides = self.source.chosen(rows), self.target.chosen(rows)
        return PairSequences(*sides, owners=owners, references=self.references)

    def target_tokens(self, rows: Tensor) -> float:
        """The number of target tokens of a batch, EOS counted; those of an example whose references are taken together
        are the mean of them."""
        lengths = self.target.lengths[rows] + self.target.end
        if self.together is None:
            return float(lengths.sum())
        return float((lengths * shares_of(self.together[rows])).sum())

    def padded_size(self, rows: Tensor) -> tuple[int, int]:
        """The number of tokens of a batch, those of its padding and EOS counted, and those of its longest target."""
        source, target = (int(side.lengths[rows].max()) + 1 for side in (self.source, self.target))
        return len(rows) * (source + target), target

    def share(self, rows: Tensor, rank: int, processes: int) -> Tensor:
        """The rows of a batch that one of several processes takes: every so manieth, or those of such examples."""
        if self.together is None:
            return rows[rank::processes]
        _, places = self.together[rows].unique_consecutive(return_inverse=True)
        return rows[places % processes == rank]

    def batch(self, rows: Tensor, *, step_tokens: float, silent: bool = False) -> Batch:
        """The batch of the given rows; a silent one has nothing to predict and so adds no loss."""
        source, source_lengths = self.source.padded(rows, end=True)
        outputs, _ = self.target.padded(rows, end=True)
        inputs = begun(outputs)
        if silent:
            outputs = torch.full_like(outputs, float("nan") if outputs.is_floating_point() else PAD)
        linked = None if self.links is None else self.links.matrix(rows, outputs.shape[1], source.shape[1])
        owners = None
        if self.together is not None:
            _, owners = self.together[rows].unique_consecutive(return_inverse=True)
        return Batch(source, source_lengths, inputs, outputs, step_tokens, linked, owners, self.references)
