"""Counts as calls give them."""

from typing import Any, TypeAlias

import numpy as np

from seq2seq.errors import UserError, shown

Count: TypeAlias = int | np.integer


def count_of(given: Any, name: str) -> int:
    """A whole number from 1, of Python or of NumPy. Raises UserError at what is none."""
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
        raise UserError(f"{name} must be a whole number of at least 1, but is {shown(given)}.")
    return int(given)
