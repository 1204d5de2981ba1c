"""Alarms of a stream's lines, as they are kept in a file."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.data.text_files import read_lines, told_as
from seq2seq.errors import UserError


class AlarmMark(NamedTuple):
    """An alarm behind a line, which counts from 1, and what it says."""

    line: int
    label: str


def read_alarms(path: str | Path) -> list[AlarmMark]:
    """Alarms of a file of JSON lines with line, signal, detector and value, in the order of their lines.

    Raises UserError if there is no such file, or at a line that is no such object.
    """
    with told_as("alarms"):
        lines = read_lines(path)
    found = [_alarm(text, f"{path}, line {number}") for number, text in enumerate(lines, 1) if text.strip()]
    return sorted(found, key=lambda alarm: alarm.line)


def _alarm(text: str, place: str) -> AlarmMark:
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    known = told if isinstance(told, dict) else {}
    line, value = known.get("line"), known.get("value")
    named = all(isinstance(known.get(name), str) for name in ("signal", "detector"))
    if type(line) is not int or line < 1 or not named or not _is_number(value):
        raise UserError(
            f"{place} must be a JSON object with line, from 1 on, signal, detector and value, but is {text[:80]!r}."
        )
    return AlarmMark(line, f"{known['signal']} {value:.3g}, {known['detector']}, line {line:,}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
