"""The encoder's last output to the decoder's first state."""

from abc import ABC, abstractmethod

from torch import nn

from seq2seq.layers.initialization import linear
from seq2seq.layers.recurrent.cells import LSTMState
from seq2seq.shapes import Vectors


class Bridge(nn.Module, ABC):
    """One state for every decoder layer."""

    @abstractmethod
    def forward(self, last: Vectors) -> tuple[LSTMState, ...]: ...


class LastOutputBridge(Bridge):
    """hidden = tanh(W last), cell = U last, for each layer (after Bahdanau et al. 2015)."""

    def __init__(self, *, input_size: int, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        self.sizes = [hidden_size] * (2 * num_layers)
        self.projection = linear(input_size, sum(self.sizes))

    def forward(self, last: Vectors) -> tuple[LSTMState, ...]:
        parts = self.projection(last).split(self.sizes, -1)
        pairs = zip(parts[::2], parts[1::2], strict=True)
        return tuple(LSTMState(hidden.tanh(), cell) for hidden, cell in pairs)


class ZeroBridge(Bridge):
    """Every layer starts from zero; the source is seen through attention alone."""

    def __init__(self, *, input_size: int, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.num_layers = num_layers

    def forward(self, last: Vectors) -> tuple[LSTMState, ...]:
        zeros = last.new_zeros(len(last), self.hidden_size)
        return (LSTMState(zeros, zeros),) * self.num_layers
