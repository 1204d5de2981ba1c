"""What one step hands the next."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from seq2seq.shapes import Vectors


class HiddenState(NamedTuple):
    """Of a cell that hands on what it puts out, `*batch hidden`."""

    hidden: Tensor


class LSTMState(NamedTuple):
    """Of a cell with a memory of its own: what it puts out, `*batch hidden`, and the memory, `*batch cell`."""

    hidden: Tensor
    cell: Tensor


State = HiddenState | LSTMState


def map_state(function: Callable[..., Tensor], state: State, *others: State) -> State:
    """The function of every part; of several states, of the parts that belong together."""
    return type(state)(*(function(*parts) for parts in zip(state, *others, strict=True)))


@dataclass(frozen=True)
class StateLayout:
    """The kind of a state and the width of each of its parts, hidden first."""

    kind: type[State]
    sizes: tuple[int, ...]

    def zeros(self, like: Tensor) -> State:
        """For a batch as long, on the device and of the type of `like`."""
        return self.kind(*(like.new_zeros(len(like), size) for size in self.sizes))

    def split(self, values: Vectors) -> State:
        """Parts that lie side by side."""
        return self.kind(*values.split(self.sizes, -1))
