"""State that one step hands the next."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional

from seq2seq.precise import precise
from seq2seq.shapes import Vectors


class HiddenState(NamedTuple):
    """State of a cell that hands on what it puts out, `*batch hidden`."""

    hidden: Tensor


class LSTMState(NamedTuple):
    """State of a cell with a memory of its own: its output, `*batch hidden`, and its memory, `*batch cell`."""

    hidden: Tensor
    cell: Tensor


State = HiddenState | LSTMState


def map_state(function: Callable[..., Tensor], state: State, *others: State) -> State:
    """State of the function of every part; of several states, of the parts that belong together."""
    return type(state)(*(function(*parts) for parts in zip(state, *others, strict=True)))


@dataclass(frozen=True)
class StateLayout:
    """The kind of a state and the width of each of its parts, hidden first.

    Where steps do not read the hidden state, it is only what the last one put out. At the end of the last part may be
    what a step hands the next beside its memory; it may be nothing before the first step.
    """

    kind: type[State]
    sizes: tuple[int, ...]
    reads_hidden: bool = True
    carried: int = 0  # the width of what is at the end
    starts_empty: bool = False  # whether that is zero before the first step, whatever the rest is made of

    @property
    def free_sizes(self) -> tuple[int, ...]:
        """Widths of the parts that a first state is made of."""
        sizes = self.sizes if self.reads_hidden else self.sizes[1:]
        return (*sizes[:-1], sizes[-1] - self.carried) if self.starts_empty else sizes

    def zeros(self, like: Tensor) -> State:
        """The zero state for a batch as long as `like`, of its type and on its device; memory in float32 at least."""
        return self._state(*(like.new_zeros(len(like), size) for size in self.sizes))

    def split(self, values: Vectors) -> State:
        """The state whose free parts lie side by side in `values`, `batch size`; memory is in float32 at least.

        A hidden state that no step reads begins as the memory does, for whatever looks at it before the first step.
        """
        parts = [*values.split(self.free_sizes, -1)]
        if self.starts_empty:
            parts[-1] = functional.pad(parts[-1], (0, self.carried))
        if self.reads_hidden:
            return self._state(*parts)
        return self._state(
            functional.pad(parts[0], (0, max(0, self.sizes[0] - parts[0].shape[-1])))[..., : self.sizes[0]], *parts
        )

    def whole(self, values: Vectors) -> State:
        """The state all of whose parts lie side by side in `values`, `batch size`."""
        return self._state(*values.split(self.sizes, -1))

    def _state(self, hidden: Tensor, *memory: Tensor) -> State:
        return self.kind(hidden, *map(precise, memory))
