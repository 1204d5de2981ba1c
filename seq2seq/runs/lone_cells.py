"""Cells by themselves, without a model around them, as a config describes their kinds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from seq2seq.config.builder import build
from seq2seq.config.closed_table import find
from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.cell import Cell

CellKind = Callable[[int, int], Cell]  # of the sizes of input and hidden state


def cell_kinds(kinds: Mapping[str, Any], names: Any, biases: Any = None) -> dict[str, CellKind]:
    """Constructors of the cells of some names; with biases of the gate that keeps the memory, one for each of these.

    A cell that has no such gate has one constructor. Raises UserError at a name that is no kind, and where no cell has
    the gate.
    """
    _check_names(kinds, names)
    if biases is None:
        return {name: build(kinds[name], f"kinds.{name}") for name in names}
    if not isinstance(biases, list) or not biases or not all(_is_number(bias) for bias in biases):
        raise UserError(f"forget_bias must be a list of numbers, as [0,1,3], but is {biases!r}.")
    found = dict(_biased(kinds, names, biases))
    if found.keys() == set(names):
        raise UserError(
            "forget_bias must be of cells with a gate that keeps their memory, but none has one of "
            f"{', '.join(names)}: leave it out."
        )
    return found


def names_of(kinds: Mapping[str, Any], wanted: Callable[[Any], bool]) -> list[str]:
    """Names of the kinds whose class is one that is wanted."""
    return [name for name, node in kinds.items() if wanted(find(node["_target_"], f"kinds.{name}"))]


def _check_names(kinds: Mapping[str, Any], names: Any) -> None:
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UserError(f"cells must be a list of names, as [lstm,gru], but is {names!r}.")
    for name in names:
        if name not in kinds:
            raise UserError(f"cells must be of {', '.join(kinds)}, but has {name}.")


def _biased(
    kinds: Mapping[str, Any], names: Sequence[str], biases: Sequence[int | float]
) -> Iterator[tuple[str, CellKind]]:
    for name in names:
        if "forget_bias" not in kinds[name]["initialization"]:
            yield name, build(kinds[name], f"kinds.{name}")
            continue
        for bias in biases:
            node = deepcopy(kinds[name])
            node["initialization"]["forget_bias"] = float(bias)
            yield f"{name}, forget bias {bias:g}", build(node, f"kinds.{name}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
