"""First values of a cell's parameters, gate by gate."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from seq2seq.errors import UserError, check_finite
from seq2seq.layers.recurrent.gate_view import GateView

Initializer = Callable[[Tensor, int], None]


def _xavier(weight: Tensor, hidden_size: int) -> None:
    nn.init.xavier_uniform_(weight)


def _orthogonal(weight: Tensor, hidden_size: int) -> None:
    nn.init.orthogonal_(weight)


def _uniform(weight: Tensor, hidden_size: int) -> None:
    nn.init.uniform_(weight, -(hidden_size**-0.5), hidden_size**-0.5)


_MATRICES: dict[str, Initializer] = {"xavier": _xavier, "orthogonal": _orthogonal, "uniform": _uniform}


class Initialization:
    """Initialisation of every gate's matrices by a named rule, and of biases by zero.

    `xavier` uniform (Glorot & Bengio 2010), `orthogonal` (Saxe et al. 2014), or `uniform` within 1 / sqrt(hidden_size).
    Raises UserError at another name.
    """

    def __init__(self, *, input: str = "xavier", recurrent: str = "orthogonal") -> None:
        self.input = _named("input", input)
        self.recurrent = _named("recurrent", recurrent)

    def __call__(
        self, gates: Mapping[str, GateView], hidden_size: int, keep_gate: str | None, timescales: int = 1
    ) -> None:
        """Fill the gates of a cell, of which one, if any, says how much of its memory it keeps."""
        for gate in gates.values():
            self.input(gate.input, hidden_size)
        for gate in gates.values():
            self._fill_recurrent(gate.recurrent, hidden_size)
        for gate in gates.values():
            gate.set_bias(0.0)

    def _fill_recurrent(self, weight: Tensor | None, hidden_size: int) -> None:
        if weight is not None:
            self.recurrent(weight, hidden_size)
        elif self.recurrent is not _orthogonal:
            raise UserError(
                "initialization must leave recurrent at orthogonal for a cell without a recurrent matrix, "
                "which there is nothing of to fill."
            )


class ForgetBias(Initialization):
    """`Initialization`, and the gate that keeps the memory starts open (Gers et al. 2000, Jozefowicz et al. 2015)."""

    def __init__(self, *, input: str = "xavier", recurrent: str = "orthogonal", forget_bias: float = 1.0) -> None:
        check_finite(forget_bias=forget_bias)
        super().__init__(input=input, recurrent=recurrent)
        self.forget_bias = forget_bias

    def __call__(
        self, gates: Mapping[str, GateView], hidden_size: int, keep_gate: str | None, timescales: int = 1
    ) -> None:
        super().__call__(gates, hidden_size, keep_gate)
        gates[_keep_gate(keep_gate)].set_bias(self.forget_bias)


class Chrono(Initialization):
    """`Initialization`, and time constants spread up to `longest` steps (Tallec & Ollivier 2018).

    Forget bias log u with u uniform in [1, longest - 1], input bias -log u; with several timescales each has its share
    of a geometric range. Raises UserError if `longest` is below 2.
    """

    def __init__(self, *, input: str = "xavier", recurrent: str = "orthogonal", longest: int = 20) -> None:
        super().__init__(input=input, recurrent=recurrent)
        if longest < 2:
            raise UserError(f"longest must be at least 2 steps, but is {longest}.")
        self.longest = longest

    def __call__(
        self, gates: Mapping[str, GateView], hidden_size: int, keep_gate: str | None, timescales: int = 1
    ) -> None:
        super().__call__(gates, hidden_size, keep_gate)
        gate = gates[_keep_gate(keep_gate)]
        keep = gate.bias
        for number, biases in enumerate(keep.chunk(timescales)):
            shortest, longest = ((self.longest - 1) ** (step / timescales) for step in (number, number + 1))
            biases.uniform_(shortest, longest).log_()
        gate.set_bias(keep)
        if "input" in gates:
            gates["input"].set_bias(-keep)


def _keep_gate(name: str | None) -> str:
    if name is None:
        raise UserError(
            "initialization must be matrices for a cell without a gate that keeps its memory: "
            "there is no forget bias to set."
        )
    return name


def _named(option: str, name: str) -> Initializer:
    if name not in _MATRICES:
        raise UserError(f"{option} must be one of {', '.join(_MATRICES)}, but is {name!r}.")
    return _MATRICES[name]


MATRICES = Initialization()
OPEN_FORGET_GATE = ForgetBias()
