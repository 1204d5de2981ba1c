"""Bounds of the options of torch's optimizers, which torch would tell in words of its own, after the data are read."""

import math
from collections.abc import Mapping
from typing import Any

from seq2seq.errors import UserError

_ABOVE_0 = ("lr",)
_AT_LEAST_0 = (
    "eps",
    "weight_decay",
    "momentum",
    "dampening",
    "lr_decay",
    "momentum_decay",
    "initial_accumulator_value",
)
_SHARES = ("alpha", "rho", "betas")  # of what was gathered before that is kept at each step


def check_bounds(path: str, options: Mapping[str, Any]) -> None:
    """Check numbers of an optimizer's node. Raises UserError by config path at the first that no optimizer takes."""
    if options.get("nesterov") and not (options.get("momentum", 0) > 0 and options.get("dampening", 0) == 0):
        raise UserError(f"{path}.nesterov needs a momentum above 0, and no dampening: set {path}.momentum.")
    for name, value in options.items():
        told = f"{path}.{name} must be"
        if name in _ABOVE_0 and not 0 < value < math.inf:
            raise UserError(f"{told} above 0, but is {value}: 0.002 is the default of Adam.")
        if name == "beta2_decay" and not value < 0:
            raise UserError(f"{told} below 0, but is {value}: -0.8 is the default of Adafactor.")
        if name == "d" and not value >= 1:
            raise UserError(f"{told} at least 1, but is {value}.")
        sizes = value if isinstance(value, list | tuple) else [value]
        if name in _AT_LEAST_0 and not all(size is None or 0 <= size < math.inf for size in sizes):
            raise UserError(f"{told} at least 0, but is {value}.")
        shares = value if isinstance(value, list | tuple) else [value]
        if name in _SHARES and not all(0 <= share < 1 for share in shares):
            rule = "two numbers of at least 0 and below 1" if name == "betas" else "at least 0 and below 1"
            raise UserError(f"{told} {rule}, but {'are' if name == 'betas' else 'is'} {value}.")
