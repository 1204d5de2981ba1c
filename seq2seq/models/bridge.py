"""Bridges from the encoder's last output to the decoder's first state."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.layers.linear import linear
from seq2seq.layers.recurrent.state import State, StateLayout
from seq2seq.models.decoder import Decoder
from seq2seq.models.encoder import Encoder
from seq2seq.precise import precise
from seq2seq.shapes import Vectors


class Bridge(nn.Module, ABC):
    """A bridge from the encoder to one state for every decoder layer, as its layout says.

    If it `reads_states`, what it is given are all parts of the encoder's last states side by side.
    """

    reads_states: ClassVar[bool] = False

    @abstractmethod
    def forward(self, last: Vectors) -> tuple[State, ...]:
        """First states of the decoder's layers, bottom first, from the encoder's last output, `batch size`."""


class LastOutputBridge(Bridge):
    """A projection for each layer: hidden = tanh(W last), cell = U last if it has one (after Bahdanau et al. 2015).

    Where only the cell is read by the next step, hidden = tanh(cell).
    """

    def __init__(self, *, input_size: int, layouts: Sequence[StateLayout]) -> None:
        super().__init__()
        self.layouts = layouts
        self.sizes = [sum(layout.free_sizes) for layout in layouts]
        self.projection = linear(input_size, sum(self.sizes))

    def forward(self, last: Vectors) -> tuple[State, ...]:
        parts = zip(self.layouts, self.projection(last).split(self.sizes, -1), strict=True)
        states = (layout.split(part) for layout, part in parts)
        return tuple(state._replace(hidden=state.hidden.tanh()) for state in states)


class ZeroBridge(Bridge):
    """A bridge by which layers start from zero; the source is seen through attention alone."""

    def __init__(self, *, input_size: int, layouts: Sequence[StateLayout]) -> None:
        super().__init__()
        self.layouts = layouts

    def forward(self, last: Vectors) -> tuple[State, ...]:
        return tuple(layout.zeros(last) for layout in self.layouts)


class StateBridge(Bridge):
    """The encoder's last states as the decoder's first, layer by layer (Sutskever et al. 2014).

    Both sides have to have layers of the same cells and sizes, and the encoder has to read one way.
    """

    reads_states = True

    weight_type: Tensor

    def __init__(self, *, input_size: int, layouts: Sequence[StateLayout]) -> None:
        super().__init__()
        self.layouts = layouts
        self.register_buffer("weight_type", torch.empty(0), persistent=False)  # empty: cast and moved with the weights

    def check(self, encoder: Sequence[StateLayout]) -> None:
        """Check that layers of an encoder leave the states that are needed. Raises UserError if not."""
        kinds = [[(layout.kind, layout.sizes) for layout in side] for side in (encoder, self.layouts)]
        if kinds[0] != kinds[1]:
            ours, theirs = (" and ".join(str(layout.sizes) for layout in side) for side in (encoder, self.layouts))
            raise UserError(
                f"bridge must not be state unless both sides have layers of the same cells and sizes, but states are "
                f"of {ours} numbers in the encoder and {theirs} in the decoder: choose the same num_layers, "
                "hidden_size and cell."
            )

    def forward(self, last: Vectors) -> tuple[State, ...]:
        parts = last.split([sum(layout.sizes) for layout in self.layouts], -1)
        states = (layout.whole(part) for layout, part in zip(self.layouts, parts, strict=True))
        if precise(self.weight_type) is self.weight_type:
            return tuple(states)
        # Beside memories in float32, hidden states of fewer bits have come in float32, too.
        return tuple(state._replace(hidden=state.hidden.to(self.weight_type.dtype)) for state in states)


def join_sides(bridge: Bridge, encoder: Encoder, decoder: Decoder, *, copies: bool) -> None:
    """Make an encoder leave what a bridge reads, and check that a source reaches a decoder. Raises UserError."""
    if isinstance(bridge, StateBridge):
        bridge.check(_left_by(encoder))
    if decoder.waiting is not None:
        _check_waiting(bridge, encoder, copies=copies)
    if decoder.attention.attends:
        return
    if dropout := decoder.attention_dropout.probability:
        raise UserError(f"attention_dropout must be 0 where attention is none, but is {dropout}.")
    if copies:
        raise UserError("copying must be none where attention is, as it copies what is attended to.")
    if isinstance(bridge, ZeroBridge):
        raise UserError(
            "bridge must not be zero where attention is none, as the decoder would know nothing of the source: choose "
            "last, or state."
        )


def _left_by(encoder: Encoder) -> list[StateLayout]:
    try:
        return encoder.leave_states()
    except UserError as error:
        raise UserError(f"encoder must leave its states where bridge is state: {error}") from None


def _check_waiting(bridge: Bridge, encoder: Encoder, *, copies: bool) -> None:
    try:
        encoder.check_reads_on()
    except UserError as error:
        raise UserError(f"encoder must read on where waiting is on: {error}") from None
    if bridge.reads_states:
        raise UserError("bridge must not be state where waiting is on, as it is what all of a source has left.")
    if copies:
        raise UserError("copying must be none where waiting is on, as it looks for pieces in all of a source.")
