"""Reading of sources that grow while targets are written."""

from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Memory
from seq2seq.masking import length_mask
from seq2seq.models.decoder import States
from seq2seq.models.encoder import EncoderState
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.models.waiting import check_attention
from seq2seq.shapes import BeamIds, BeamWeights, Logits, Source


class Reading(NamedTuple):
    """A reading of one source: the encoder's state, the memory of what has come, and where in the source it begins."""

    encoder: EncoderState
    memory: Memory
    last: Tensor  # 1 size: what the bridge reads
    first: int = 0  # the number of tokens that are forgotten


class GrowingReader:
    """A `Reader` by a model whose encoder reads one way.

    With a `window`, no more than the last so many values are kept, so that a step's time and memory do not grow with
    the source; weights are of what is kept. Raises UserError where a part of the model looks at what is still to come.
    """

    def __init__(self, model: Seq2Seq, *, window: int | None = None) -> None:
        if model.sourceless or model.edits:
            raise UserError("model must be a translator with attention to read on, but is another kind.")
        model.encoder.check_reads_on()
        check_attention(model.decoder.attention)
        if model.bridge.reads_states:
            raise UserError("bridge must not be state to read on, as it is what all of a source has left.")
        if model.copying is not None:
            raise UserError("model must not copy to read on, but its pointer looks for pieces in all of a source.")
        self.model, self.window = model, window

    @property
    def says_unknown(self) -> bool:
        """Tell whether UNK may be said."""
        return self.model.says_unknown

    def open(self) -> Reading:
        """The reading of one source of which nothing has come."""
        state = self.model.encoder.start(1)
        width = self.model.encoder.output_size
        nothing = state.input.mask.new_zeros(1, 0, width)
        mask = torch.ones(1, 0, dtype=torch.bool, device=nothing.device)
        return Reading(state, self.model.decoder.remember(nothing, mask), nothing.new_zeros(1, width))

    def read(self, ids: Source, reading: Reading, *, ended: bool) -> Reading:
        """The reading behind some more tokens, `1 source`."""
        device = reading.memory.mask.device
        lengths = torch.full((1,), ids.shape[1], device=device)
        over = torch.full((1,), ended, device=device)
        encoded, state = self.model.encoder.advance(ids.to(device), lengths, reading.encoder, over)
        new = self.model.decoder.remember(encoded.values, length_mask(encoded.lengths, encoded.values.shape[1]))
        old = reading.memory
        parts = zip((old.values, old.keys, old.mask), (new.values, new.keys, new.mask), strict=True)
        values, keys, mask = (torch.cat(pair, 1) for pair in parts)
        gone = 0 if self.window is None else max(0, mask.shape[1] - self.window)
        memory = Memory(values[:, gone:], keys[:, gone:], mask[:, gone:])
        return Reading(state, memory, encoded.last, reading.first + gone)

    def begin(self, reading: Reading) -> States:
        """The states of one empty hypothesis, from what has been read."""
        states = States(self.model.bridge(reading.last), self.model.decoder.attention.start(reading.memory))
        return states.of_one_hypothesis()

    def look(self, reading: Reading, states: States, since: Reading) -> tuple[Memory, States]:
        """The memory of what has been read, and the states as they look at it, which were made at another reading."""
        gone, size = reading.first - since.first, reading.memory.mask.shape[1]
        attention = self.model.decoder.attention.moved(states.attention, gone, size)
        return reading.memory, states._replace(attention=attention)

    def step(self, ids: BeamIds, memory: Memory, states: States) -> tuple[Logits, BeamWeights, States]:
        """Scores, weights and next states, as of the model."""
        return self.model.step(ids.to(memory.mask.device), memory, states)
