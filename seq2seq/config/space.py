"""Spaces of settings to search: a list of values or a range for each option."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from seq2seq.config.contract import check_type
from seq2seq.errors import UserError

Value = str | int | float | bool | None
_TYPES: dict[str, Any] = {"step": float | None, "log": bool}  # of what is no bound of a range


@dataclass(frozen=True)
class Choices:
    """Values of an option to choose from."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`: whole ones if both are, in steps, or even in their logarithms."""

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False


def read_space(node: Any, file: str | None) -> dict[str, Choices | Range]:
    """The space of a config's node, or of a file instead. Raises UserError at what is neither list nor range."""
    if file is not None:
        try:
            node = OmegaConf.to_container(OmegaConf.load(Path(file)))
        except Exception as error:  # whatever a file that is no YAML makes of its reader
            raise UserError(f"space_file={file} cannot be read ({type(error).__name__}): give a YAML file.") from None
    if not isinstance(node, Mapping) or not node:
        raise UserError("space must name options and their values, but is empty: choose one by space=default.")
    return {str(key): _read(str(key), value) for key, value in node.items()}


def _read(key: str, value: Any) -> Choices | Range:
    if isinstance(value, list) and value and all(isinstance(one, Value) for one in value):
        return Choices(tuple(value))
    if isinstance(value, Mapping) and {"low", "high"} <= value.keys() <= {"low", "high", "step", "log"}:
        for name, one in value.items():
            check_type(f"space: {key}.{name}", one, _TYPES.get(str(name), float))
        found = Range(**{str(name): one for name, one in value.items()})
        if not found.low < found.high or (found.log and found.low <= 0) or (found.step is not None and found.step <= 0):
            raise UserError(f"space: {key} must have low below high, with log above 0, and a step above 0: {value}.")
        if found.log and found.step is not None:
            raise UserError(f"space: {key} must have a step or log, but has both: leave one of them out.")
        return found
    raise UserError(f"space: {key} must be a list of values, or low and high with step or log, but is {value!r}.")
