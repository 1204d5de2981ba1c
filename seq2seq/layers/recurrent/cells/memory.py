"""Cells around a memory that grows: a controller that pushes, pops, and reads what is in front."""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError, check_finite
from seq2seq.layers.memory.neural import NeuralQueue, NeuralStack
from seq2seq.layers.memory.store import Store
from seq2seq.layers.memory.superposition import SuperposedStack
from seq2seq.layers.recurrent.cells.cell import Cell, CellInputs, Projected
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.options import DEFAULTS, CellOptions
from seq2seq.layers.recurrent.gate_view import GateView, gate_views
from seq2seq.layers.recurrent.state import LSTMState, StateLayout
from seq2seq.precise import precise

CONTROLLERS = ("feed_forward", "lstm")


class StoreGates(NamedTuple):
    """Activations of one step: the value that is pushed, and how much is pushed and popped, one number each."""

    candidate: Tensor
    push: Tensor
    pop: Tensor


class SharedStoreGates(NamedTuple):
    """Activations of one step: the value that is pushed, and shares of pushing, popping and keeping that sum to 1."""

    candidate: Tensor
    push: Tensor
    pop: Tensor
    keep: Tensor


class MemoryCell(Cell):
    """A controller beside a memory of values that it pushes and pops (Grefenstette et al. 2015).

    With what was read before, r: h' = tanh(W x + R r + b), or an LSTM's step of (x, r); from it the value
    v = tanh(V h' + c) and the sums of push and pop. A feed-forward controller has no state beside the memory and
    has to use it; an LSTM solves short cases by itself, and then does not learn to. What does not fit in `depth`
    values is lost, the weakest first. With a `pop_bias` below 0 more is pushed at first than popped. Raises UserError
    at another controller, and at noise inside a memory.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.memory import StackCell
    >>> cell, inputs = StackCell(3, 8, controller="lstm", width=2, depth=5), torch.randn(1, 4, 3)
    >>> outputs, state = cell.unroll(inputs, cell.start(inputs[:, 0]))
    >>> tuple(state.cell.shape)  # the LSTM's own memory, what was read, strengths, values
    (1, 25)
    """

    keep_gate = None
    store_kind: ClassVar[Callable[..., Store]]
    gates_kind: ClassVar[type[StoreGates] | type[SharedStoreGates]] = StoreGates

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        controller: str = "feed_forward",
        width: int = 32,
        depth: int = 128,
        pop_bias: float = -1.0,
        options: CellOptions = DEFAULTS,
    ) -> None:
        check_finite(pop_bias=pop_bias)
        if controller not in CONTROLLERS:
            raise UserError(f"controller must be one of {', '.join(CONTROLLERS)}, but is {controller!r}.")
        _refuse_noise(options)
        is_recurrent, store = controller == "lstm", type(self).store_kind(width=width, depth=depth)
        own = hidden_size if is_recurrent else 0  # of an LSTM's own memory
        sizes = (hidden_size, own + width + store.size)
        layout = StateLayout(LSTMState, sizes, reads_hidden=is_recurrent, carried=store.size, starts_empty=True)
        rows = 4 * hidden_size if is_recurrent else hidden_size
        super().__init__(input_size, rows, layout, options)
        self.is_recurrent, self.store, self.read_products = is_recurrent, store, store.products
        self.input_weight = nn.Parameter(torch.empty(rows, input_size))
        self.recurrent_weight = nn.Parameter(torch.empty(rows, own + width))
        self.bias = nn.Parameter(torch.zeros(rows))
        heads = sum(self._gate_sizes.values())
        self.head_weight = nn.Parameter(torch.empty(heads, hidden_size))
        self.head_bias = nn.Parameter(torch.empty(heads))
        self.initialize(options)
        self.gates["pop"].set_bias(pop_bias)

    @property
    def _gate_sizes(self) -> dict[str, int]:
        return {"candidate": self.store.width, **dict.fromkeys(self.store.actions, 1)}

    @property
    def gates(self) -> dict[str, GateView]:
        return gate_views(self._gate_sizes, self.head_weight, None, self.head_bias)

    @property
    def recurrent_weights(self) -> tuple[str, ...]:
        return ("recurrent_weight",)

    def initialize(self, options: CellOptions, timescales: int = 1) -> None:
        """Give controller and heads their first values."""
        rule = self.initialization(options)
        blocks = gate_views(
            dict.fromkeys(LSTMGates._fields if self.is_recurrent else ("candidate",), self.hidden_size),
            *(self.input_weight, self.recurrent_weight, self.bias),
        )
        rule(blocks, self.hidden_size, None)
        if self.is_recurrent:
            blocks["forget"].set_bias(1.0)
        for gate in self.gates.values():
            rule.input(gate.input, self.hidden_size)
            gate.set_bias(0.0)

    def project(self, inputs: CellInputs) -> Projected:
        return functional.linear(inputs, self.input_weight, self.bias)

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, StoreGates | SharedStoreGates]:
        own, read, contents = state.cell.split(self._parts, -1)
        hidden, own = self._control(projected, state.hidden, own, read)
        sums = precise(functional.linear(hidden.to(self.head_weight.dtype), self.head_weight, self.head_bias))
        value, actions = sums.split((self.store.width, len(self.store.actions)), -1)
        value, shares = self.held("candidate", self.activation(value)), self._shares(actions)
        contents, read = self.store.advance(contents, shares, value)
        return LSTMState(hidden, torch.cat([own, read, contents], -1)), self.gates_kind(value, *shares.split(1, -1))

    def _shares(self, actions: Tensor) -> Tensor:
        """Shares of the store's actions, side by side, each as it comes or is set."""
        shares = self.store.shares(actions)
        if self.hold is None:
            return shares
        pairs = zip(self.store.actions, shares.split(1, -1), strict=True)
        return torch.cat([self.held(name, own) for name, own in pairs], -1)

    @property
    def _parts(self) -> tuple[int, int, int]:
        return self.hidden_size if self.is_recurrent else 0, self.store.width, self.store.size

    def _control(self, projected: Projected, hidden: Tensor, own: Tensor, read: Tensor) -> tuple[Tensor, Tensor]:
        """The controller's output, `*batch hidden`, and its own memory, from what was read before."""
        seen = torch.cat([hidden, read.to(hidden.dtype)], -1) if self.is_recurrent else read.to(hidden.dtype)
        sums = precise(projected) + functional.linear(seen.to(self.recurrent_weight.dtype), self.recurrent_weight)
        if not self.is_recurrent:
            return sums.tanh(), own
        gates = LSTMGates.from_sums(sums.chunk(4, -1), torch.sigmoid, torch.tanh)
        return gates.state(own, torch.tanh)


class StackCell(MemoryCell):
    """A cell beside a neural stack: what was pushed last is read.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.memory import StackCell
    >>> cell = StackCell(3, 8, width=2, depth=5)
    >>> state = cell.start(torch.zeros(1, 3))
    >>> for pops in (False, False, True):
    ...     cell.gates["push"].set_bias(-100.0 if pops else 100.0)
    ...     cell.gates["pop"].set_bias(100.0 if pops else -100.0)
    ...     state, gates = cell(cell.project(torch.randn(1, 3)), state)
    >>> state.cell[:, 2:7].round().tolist()  # strengths, the oldest first
    [[0.0, 0.0, 1.0, 0.0, 0.0]]
    """

    store_kind = NeuralStack


class QueueCell(MemoryCell):
    """A cell beside a neural queue: what was pushed first is read.

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.memory import QueueCell
    >>> cell, inputs = QueueCell(3, 8, width=2, depth=5), torch.randn(1, 4, 3)
    >>> outputs, state = cell.unroll(inputs, cell.start(inputs[:, 0]))
    >>> tuple(outputs.shape), tuple(state.cell.shape)  # what was read, strengths, values
    ((1, 4, 8), (1, 17))
    """

    store_kind = NeuralQueue


class SuperpositionCell(MemoryCell):
    """A cell beside a stack in superposition: push, pop and keep have shares of every step (Joulin & Mikolov 2015).

    >>> import torch
    >>> from seq2seq.layers.recurrent.cells.memory import SuperpositionCell
    >>> cell, inputs = SuperpositionCell(3, 8, width=2, depth=5), torch.randn(1, 3)
    >>> _, gates = cell(cell.project(inputs), cell.start(inputs))
    >>> torch.allclose(gates.push + gates.pop + gates.keep, torch.ones(1, 1))
    True
    """

    store_kind = SuperposedStack
    gates_kind = SharedStoreGates


def _refuse_noise(options: CellOptions) -> None:
    for name in ("zoneout_cell", "recurrent_dropout"):
        if (rate := getattr(options.regularization, name)) > 0:
            raise UserError(
                f"regularization must leave {name} at 0 for a cell beside a memory, whose values it would mix, but has "
                f"{rate}: use weight_drop."
            )
