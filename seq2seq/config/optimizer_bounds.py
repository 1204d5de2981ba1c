"""Bounds of the options of torch's optimizers, which torch would tell in words of its own, after the data are read."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from seq2seq.errors import UserError


class _Bound(NamedTuple):
    """The bound of an option: what each of its numbers has to be, as a test and in words, and a usual value."""

    holds: Callable[[float], bool]
    rule: str
    usual: str = ""


_AT_LEAST_0 = _Bound(lambda size: 0 <= size < math.inf, "at least 0")
_SHARE = _Bound(lambda share: 0 <= share < 1, "at least 0 and below 1")  # of what was gathered, kept at each step
_BOUNDS = {
    "lr": _Bound(lambda rate: 0 < rate < math.inf, "above 0", ": 0.002 is the default of Adam"),
    "beta2_decay": _Bound(lambda power: power < 0, "below 0", ": -0.8 is the default of Adafactor"),
    "d": _Bound(lambda size: size >= 1, "at least 1"),
    "eps": _AT_LEAST_0,
    "weight_decay": _AT_LEAST_0,
    "momentum": _AT_LEAST_0,
    "dampening": _AT_LEAST_0,
    "lr_decay": _AT_LEAST_0,
    "momentum_decay": _AT_LEAST_0,
    "initial_accumulator_value": _AT_LEAST_0,
    "alpha": _SHARE,
    "rho": _SHARE,
    "betas": _SHARE._replace(rule="two numbers of at least 0 and below 1"),
}


def check_bounds(path: str, options: Mapping[str, Any]) -> None:
    """Check numbers of an optimizer's node. Raises UserError by config path at the first that no optimizer takes."""
    if options.get("nesterov") and not (options.get("momentum", 0) > 0 and options.get("dampening", 0) == 0):
        raise UserError(f"{path}.nesterov needs a momentum above 0, and no dampening: set {path}.momentum.")
    for name, value in options.items():
        bound = _BOUNDS.get(name)
        numbers = value if isinstance(value, list | tuple) else [value]
        if bound is not None and not all(number is None or bound.holds(number) for number in numbers):
            verb = "are" if name == "betas" else "is"
            raise UserError(f"{path}.{name} must be {bound.rule}, but {verb} {value}{bound.usual}.")
