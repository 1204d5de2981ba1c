"""Interface of every cell: a projected input and a state to the next state, and the gates that made it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar, TypeVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from seq2seq.layers.recurrent.activations import Activation, cell_function
from seq2seq.layers.recurrent.cells.options import CellOptions
from seq2seq.layers.recurrent.gate_view import GateView
from seq2seq.layers.recurrent.initialization import MATRICES, OPEN_FORGET_GATE, Initialization
from seq2seq.layers.recurrent.scan import Step, scan
from seq2seq.layers.recurrent.state import State, StateLayout
from seq2seq.shapes import Inputs, Outputs

CellInputs = Float[Tensor, "*batch input"]
Projected = Float[Tensor, "*batch gates"]
Hold = Callable[[str, Tensor], Tensor]  # a gate's name and its activations, to what takes their place
Gates = TypeVar("Gates", bound=tuple[Tensor, ...])


class Cell(nn.Module, ABC):
    """A recurrent layer in one direction.

    `gates` of a step is a named tuple of activations; its field that `keep_gate` names, if any, is the share of the
    memory that a step keeps. While `fused` is off, `unroll` takes the visible path even where torch has a kernel.
    """

    keep_gate: ClassVar[str | None] = "forget"
    stacked_vectors: ClassVar[tuple[str, ...]] = ()  # parameters that look like matrices and are vectors of gates
    read_products: int = 0  # multiply-accumulates of a step beside those of its weights, to read a memory
    fused: bool = True
    reuse: int = 1  # times that a step uses each weight, as filters at every place of a picture
    hold: Hold | None = None  # what sets gates while somebody looks at what they are for; none: as they come
    recomputes: bool = False  # whether what is inside of `unroll` is computed anew for gradients
    activation: Activation  # what new content goes through

    def __init__(self, input_size: int, projected_size: int, layout: StateLayout, options: CellOptions) -> None:
        super().__init__()
        options.regularization.check(len(layout.sizes))
        self.input_size = input_size
        self.projected_size = projected_size
        self.layout = layout
        self.activation = cell_function(options.activation)
        self.regularization = options.regularization

    @property
    def hidden_size(self) -> int:
        """Width of the hidden state."""
        return self.layout.sizes[0]

    @property
    def bounded(self) -> bool:
        """Tell whether new content is between -1 and 1."""
        return self.activation is torch.tanh

    @property
    @abstractmethod
    def gates(self) -> dict[str, GateView]:
        """Views of the gates by name, each of its own part of the parameters."""

    @property
    @abstractmethod
    def recurrent_weights(self) -> tuple[str, ...]:
        """Names of the parameters that weight drop is for."""

    @abstractmethod
    def project(self, inputs: CellInputs) -> Projected:
        """The input's part of all gates, `*batch gates`, for every step at once."""

    @abstractmethod
    def advance(self, projected: Projected, state: Any) -> tuple[State, Any]:
        """The next state by the cell's equations, and the gates that made it, which `precise` sums go into."""

    def advance_masked(self, projected: Projected, state: Any, mask: Tensor) -> tuple[State, Any]:
        """The same where a mask is on what recurrent weights read, and not on what the state keeps."""
        return self.advance(projected, state._replace(hidden=state.hidden * mask))

    def forward(self, projected: Projected, state: State, mask: Tensor | None = None) -> tuple[State, Any]:
        """The next state by the equations and zoneout, and the gates that made it; a mask is of what weights read.

        Gates and memory are in float32, or better, whatever products are computed in; the hidden state keeps its type.
        """
        if mask is None:
            stepped, gates = self.advance(projected, state)
        else:
            stepped, gates = self.advance_masked(projected, state, mask)
        stepped = stepped._replace(hidden=stepped.hidden.to(state.hidden.dtype))
        if self.regularization.zoneout:
            stepped = self.regularization.zone_out(stepped, state, training=self.training)
        return stepped, gates

    def held(self, name: str, activations: Tensor) -> Tensor:
        """Activations of a gate as they come, or as `hold` sets them; every cell sends its gates through here."""
        return activations if self.hold is None else self.hold(name, activations)

    def all_held(self, gates: Gates) -> Gates:
        """Gates of a step, none of which follows from another, as they come or are set; a named tuple."""
        if self.hold is None:
            return gates
        named: Any = gates
        return cast(Gates, type(named)(*(self.hold(name, own) for name, own in named._asdict().items())))

    def step(self, inputs: CellInputs, state: State) -> State:
        """The next state from the input itself; the given state stays as it is."""
        return self(self.project(inputs), state)[0]

    def sequence(self, start: State) -> Step:
        """The step for one pass from a state: in training with weights and units dropped that stay so until its end."""
        mask = self.regularization.mask(start.hidden) if self.masks else None
        dropped = self.dropped_weights()
        if not dropped:
            return self if mask is None else partial(self, mask=mask)
        return lambda projected, state: functional_call(self, dropped, (projected, state, mask))

    @property
    def masks(self) -> bool:
        """Tell whether units that recurrent weights read are dropped."""
        return self.training and self.regularization.recurrent_dropout > 0

    def unroll(self, inputs: Inputs, state: State) -> tuple[Outputs, State]:
        """Hidden states of all steps, `batch time hidden`, and the last state, by the fastest path there is."""
        outputs, last, _ = scan(self.sequence(state), self.project(inputs), state)
        return outputs, last

    def start(self, like: Tensor) -> State:
        """The zero state for a batch as long as `like`, on its device and of its type."""
        return self.layout.zeros(like)

    def initialize(self, options: CellOptions, timescales: int = 1) -> None:
        """Give the gates their first values."""
        self.initialization(options)(self.gates, self.hidden_size, self.keep_gate, timescales)

    def initialization(self, options: CellOptions) -> Initialization:
        """The rule of first values that options ask for, or else that suits the cell."""
        return options.initialization or (OPEN_FORGET_GATE if self.keep_gate else MATRICES)

    def dropped_weights(self) -> dict[str, Tensor]:
        """Recurrent weights with some of them zero, drawn anew; none where weight drop is off."""
        if not self.drops_weights:
            return {}
        rate = self.regularization.weight_drop
        return {name: functional.dropout(self.get_parameter(name), rate) for name in self.recurrent_weights}

    @property
    def drops_weights(self) -> bool:
        """Tell whether recurrent weights are dropped."""
        return self.training and self.regularization.weight_drop > 0


class Cells(nn.ModuleList):
    """Cells one above the other."""

    def __iter__(self) -> Iterator[Cell]:
        return cast(Iterator[Cell], super().__iter__())

    @property
    def bottom(self) -> Cell:
        """The first cell, which reads the inputs."""
        return next(iter(self))
