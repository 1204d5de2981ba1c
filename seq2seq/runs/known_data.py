"""Facts of the data that a run knows, in a file: fingerprints of its splits, and what is usual of signals."""

from math import isfinite
from typing import Any

from seq2seq.errors import UserError


def check_splits(splits: Any) -> None:
    """Raise UserError where these are not the fingerprints of three splits, in plain types."""
    form = {"examples": int, "digest": str, "order": str, "longest": int}
    earlier = {"order": "", "longest": 0}  # which had neither
    known = splits if isinstance(splits, dict) else {}
    for name in ("train", "dev", "test"):
        found = known.get(name)
        if not isinstance(found, dict) or {key: type(value) for key, value in (earlier | found).items()} != form:
            kind = "missing" if found is None else f"of type {type(found).__name__}"
            raise UserError(f"splits.{name} must be a fingerprint, but is {kind}")


def check_signals(signals: Any) -> None:
    """Raise UserError where these are not what is usual of signals, in plain types."""
    form = {"mean": float, "deviation": float, "lines": int}
    for name, found in (signals if isinstance(signals, dict) else {"": signals}).items():
        known = {key: type(value) for key, value in found.items()} if isinstance(found, dict) else None
        if known != form or not all(map(isfinite, found.values())) or found["deviation"] < 0:
            raise UserError(f"signals.{name} must be a mean, a deviation and a number of lines, but is not")
