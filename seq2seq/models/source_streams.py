"""Streams of sources: segments that follow each other, before each of which stands what the encoder has read."""

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Memory
from seq2seq.masking import length_mask
from seq2seq.models.decoder import States
from seq2seq.models.encoder import EncoderState, finite_rows
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.shapes import BeamIds, BeamWeights, Lengths, Logits, RowMask, Source, Written


def check_carries(model: Seq2Seq) -> None:
    """Check that a model's encoder can go on from segment to segment. Raises UserError if not."""
    if model.sourceless or model.edits:
        raise UserError("model must be a translator with attention to read streams, but is another kind.")
    model.encoder.check_streams()


def outputs_of_segment(
    model: Seq2Seq, source: Source, lengths: Lengths, target: Written, state: EncoderState
) -> tuple[ModelOutputs, EncoderState]:
    """Outputs of a model as of `forward` for a segment of every stream, and the encoder's state behind it.

    The decoder begins anew with each segment, and attends to nothing before it.
    """
    words, inputs = model.encoder.input.dropped(source), model.target_words(target)
    encoded, state = model.encoder.advance(words, lengths, state, torch.ones_like(lengths, dtype=torch.bool))
    memory, states = model.remember(encoded, length_mask(lengths, source.shape[1]), source)
    unrolled = model.unroll(inputs, memory, states)
    return ModelOutputs(*unrolled[:2], encoded.values, *unrolled[2:4]), state


class SourceStreams:
    """A `Stepper` that reads on: each source it starts on is the next segment of one of its streams.

    `turn_to` says of which. A stream whose state is not finite behind a segment begins anew, and is counted in
    `not_finite`. Raises UserError where the model looks at what is still to come.
    """

    def __init__(self, model: Seq2Seq, count: int = 1) -> None:
        check_carries(model)
        self.model, self.count = model, count
        self.state = model.encoder.start(count)
        self.rows = torch.arange(count)
        self.not_finite = 0
        self.broken: list[int] = []  # streams that began anew behind the last segments

    def renew(self, rows: RowMask) -> None:
        """Let some streams, `streams`, begin anew."""
        self.state = self.model.encoder.renew(self.state, rows.to(self.state.input.mask.device))

    def turn_to(self, rows: Tensor) -> None:
        """Say whose segments come next: the numbers of their streams, in the order of the sources."""
        self.rows = rows

    @property
    def attends(self) -> bool:
        """Tell whether weights say where in a source the model looked."""
        return self.model.attends

    @property
    def says_unknown(self) -> bool:
        """Tell whether UNK may be said."""
        return self.model.says_unknown

    def start(self, source: Source, lengths: Lengths) -> tuple[Memory, States]:
        """Memory of the next segments, and the states of one empty hypothesis of each."""
        rows = self.rows.to(source.device)
        own = pytree.tree_map(lambda part: part.index_select(0, rows), self.state)
        ended = torch.ones_like(lengths, dtype=torch.bool)
        encoded, own = self.model.encoder.advance(source, lengths, own, ended)
        self.state = pytree.tree_map(lambda old, new: old.index_copy(0, rows, new.to(old.dtype)), self.state, own)
        broken = ~finite_rows(self.state)
        self.broken = broken.nonzero().flatten().tolist()
        if self.broken:
            self.not_finite += len(self.broken)
            self.renew(broken)
        memory, states = self.model.remember(encoded, length_mask(lengths, source.shape[1]), source)
        return memory, states.of_one_hypothesis()

    def step(self, ids: BeamIds, memory: Memory, states: States) -> tuple[Logits, BeamWeights, States]:
        """Scores, weights and next states, as of the model."""
        return self.model.step(ids, memory, states)
