"""A tagger: one label, or frame, for each position of its source, without a search."""

from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.layers.attention.aligned import AlignedAttention, places_of, within
from seq2seq.layers.attention.attention import Memory
from seq2seq.layers.dropout import LockedDropout, WordDropout
from seq2seq.layers.labels import FrameValues, Labels
from seq2seq.layers.linear import linear
from seq2seq.layers.output.barred import BarredOutput
from seq2seq.layers.output.frames import writes_frames
from seq2seq.layers.output.output import Output, Rows
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.recomputing import recompute
from seq2seq.models.bridge import ZeroBridge
from seq2seq.models.decoder import Decoder, States, Unrolled
from seq2seq.models.encoder import Encoder
from seq2seq.models.model_options import ModelOptions
from seq2seq.models.readout import Readout
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import BeamFeatures, BeamWeights, BeamWritten, Features, TargetIds, Written
from seq2seq.symbols import BOS, EOS, PAD, UNK

_ROWS = 2048  # of scores of all labels in memory at once


class TaggingDecoder(Decoder):
    """A decoder without recurrence: h_t = tanh(U v_t), features_t = tanh(W [h_t; v_t]), of value v_t of position t.

    It reads nothing that was written. Where `marks_end`, features end with a number of their own, 1 behind the last
    position and 0 before; `source_ends` tells whether an end of the source's own stands there.
    """

    def __init__(
        self,
        *,
        embedding: Labels | FrameValues,
        memory_size: int,
        source_ends: bool,
        marks_end: bool,
        hidden_size: int = 256,
        feature_size: int = 256,
        dropout: float = 0.3,
    ) -> None:
        nn.Module.__init__(self)  # not with a table of what was written, nor scores of attention
        self.embedding, self.feature_size = embedding, feature_size
        self.source_ends, self.marks_end = source_ends, marks_end
        self.attention = AlignedAttention(query_size=1, memory_size=memory_size)
        self.attention_dropout = LockedDropout(0.0)  # there is one weight, which is 1
        self.hidden = linear(memory_size, hidden_size)
        self.dropout = LockedDropout(dropout)
        self.readout = Readout(hidden_size, memory_size, feature_size, dropout=dropout)

    @property
    def layers(self) -> list[Cell]:
        return []

    def step(self, ids: BeamWritten, memory: Memory, states: States) -> tuple[BeamFeatures, BeamWeights, States]:
        (places,) = states.attention
        value, weights, attention = self.attention.step(places.unsqueeze(-1).float(), memory, states.attention)
        features, _, _ = self._read(value, self._ended(places, memory))
        return features, weights, States((), attention)

    def unroll(self, ids: Written, memory: Memory, states: States) -> Unrolled:
        places = places_of(states.attention, _steps_of(ids))
        value, weights = self.attention.unroll(places.unsqueeze(-1).float(), memory, states.attention)
        features, hidden, undropped = self._read(value, self._ended(places, memory))
        last = States((), self.attention.after(states.attention, weights))
        return Unrolled(features, weights, hidden, undropped, last)

    def read(self, places: Int[Tensor, "batch target"], memory: Memory) -> Features:
        """Features of positions; there are no weights, of which each position has as many as the source is long."""
        values = memory.values.gather(1, within(places, memory).unsqueeze(-1).expand(-1, -1, memory.values.shape[2]))
        return self._read(values, self._ended(places, memory))[0]

    def _read(self, value: Tensor, ended: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features of positions, the hidden units that they are read from, and these before dropout."""
        undropped = self.hidden(value).tanh()
        hidden = self.dropout(undropped)
        features = self.readout(hidden, value)
        if self.marks_end:
            features = torch.cat([features, ended.unsqueeze(-1).to(features.dtype)], -1)
        return features, hidden, undropped

    def _ended(self, places: Tensor, memory: Memory) -> Tensor:
        """Tell of each step whether it is behind the last position, `batch target`."""
        return places >= memory.mask.sum(1, keepdim=True) - int(self.source_ends)


class Tagger(Seq2Seq):
    """A tagger: p(labels | source) = product of p(label t | encoder's output t), one for each token or frame.

    A bidirectional LSTM with a softmax at every position (Graves & Schmidhuber 2005), or a one-way one, whose labels
    come while it reads. Behind the last label stands EOS, surely, and nowhere before; frames have no end. The likeliest
    labels are each position's likeliest, so that a greedy search finds them, and at once; UNK is no label to say.
    Raises UserError at outputs by vectors of what was written, and where the encoder leaves fewer values than the
    source has positions.
    """

    tags: ClassVar[bool] = True
    decoder: TaggingDecoder

    def __init__(
        self,
        *,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        options: ModelOptions,
        encoder: Callable[..., Encoder],
        decoder: Callable[..., TaggingDecoder],
        output: Callable[..., Output],
    ) -> None:
        nn.Module.__init__(self)  # not with a bridge
        _refuse(options)
        frames = writes_frames(output)
        written = (FrameValues if frames else Labels)(target_vocabulary_size)
        self.target_words = WordDropout(0.0)
        self.encoder = encoder(side=options.source_side(source_vocabulary_size, written))
        if self.encoder.reduction > 1:
            raise UserError(
                "halvings and stride must leave a tagger a value for every position of a source, but one value is for "
                f"{self.encoder.reduction}."
            )
        ends = not self.encoder.input.frames
        size = self.encoder.output_size
        self.decoder = decoder(embedding=written, memory_size=size, source_ends=ends, marks_end=not frames)
        self.bridge = ZeroBridge(input_size=size, layouts=[])
        scored = output(feature_size=self.decoder.feature_size, embedding=written)
        self.output = scored if frames else BarredOutput(scored, _barred(target_vocabulary_size), "a tagger")
        self.copying = None
        if options.checkpointing:
            recompute(self)

    def labels(self, memory: Memory, states: States) -> tuple[TargetIds, Float[Tensor, "batch target"]]:
        """The likeliest label of each position and its log-probability, EOS behind the last; never UNK."""
        steps = int(memory.mask.sum(1).max()) + int(not self.decoder.source_ends)
        places = places_of(states.of_sentences().attention, steps)
        features = self.decoder.read(places, memory)
        found = [self._likeliest(rows) for rows in features.flatten(0, 1).split(_ROWS)]
        ids, scores = (torch.cat(each).unflatten(0, places.shape) for each in zip(*found, strict=True))
        return ids, scores

    def _likeliest(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """The likeliest label of each row of features, and its log-probability."""
        scores = self.output.logits(rows).float().log_softmax(-1)
        scores[:, [PAD, UNK, BOS]] = float("-inf")
        ids = scores.argmax(-1)
        return ids, scores.gather(1, ids.unsqueeze(1)).squeeze(1)


def _refuse(options: ModelOptions) -> None:
    if options.share_embeddings:
        raise UserError("share_embeddings must be false for a tagger, whose labels have no vectors.")
    if options.target_word_dropout:
        raise UserError(
            f"target_word_dropout must be 0 for a tagger, which reads no labels, but is {options.target_word_dropout}."
        )


def _barred(size: int) -> Tensor:
    """Labels that cannot be before the end of a source, and at it, `2 vocabulary`."""
    barred = torch.zeros(2, size, dtype=torch.bool)
    barred[0, EOS] = True
    barred[1] = ~barred[0]
    return barred


def _steps_of(ids: Written) -> int:
    return int((ids if isinstance(ids, Tensor) else ids.ids).shape[1])
