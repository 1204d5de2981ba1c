"""Cells by themselves, without a model around them, as a config describes their kinds."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from seq2seq.config.builder import build
from seq2seq.config.closed_table import find
from seq2seq.config.contract import check_distinct
from seq2seq.errors import UserError, check_finite
from seq2seq.layers.recurrent.cells.cell import Cell

logger = logging.getLogger(__name__)
CellKind = Callable[[int, int], Cell]  # of the sizes of input and hidden state


def cell_kinds(kinds: Mapping[str, Any], names: Any, biases: Any = None) -> dict[str, CellKind]:
    """Constructors of the cells of some names; with biases of the gate that keeps the memory, one for each of these.

    A cell whose kind has no such bias has one constructor, which is told. Raises UserError at a name that is no kind or
    comes twice, and where no cell has the bias.
    """
    _check_names(kinds, names)
    if biases is None:
        return {name: build(kinds[name], f"kinds.{name}") for name in names}
    if not isinstance(biases, list) or not biases or not all(_is_number(bias) for bias in biases):
        raise UserError(f"forget_bias must be a list of numbers, as [0,1,3], but is {biases!r}.")
    for bias in biases:
        check_finite(forget_bias=bias)
    check_distinct("forget_bias", [f"{bias:g}" for bias in biases])  # as rows are named
    without = [name for name in names if not _has_bias(kinds[name])]
    if len(without) == len(names):
        raise UserError(
            "forget_bias must be of cells with a gate that keeps their memory, and initialization.forget_bias in their "
            f"kinds, but none has one of {', '.join(names)}: leave it out."
        )
    if without:
        logger.info("forget_bias: one row of %s, whose initialization has no forget_bias", ", ".join(without))
    return dict(_biased(kinds, names, biases))


def names_of(kinds: Mapping[str, Any], wanted: Callable[[Any], bool]) -> list[str]:
    """Names of the kinds whose class is one that is wanted. Raises UserError at a kind that is no cell."""
    return [name for name in kinds if wanted(_class_of(kinds, name))]


def _check_names(kinds: Mapping[str, Any], names: Any) -> None:
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UserError(f"cells must be a list of names, as [lstm,gru], but is {names!r}.")
    for name in names:
        if name not in kinds:
            raise UserError(f"cells must be of {', '.join(kinds)}, but has {name}.")
        _class_of(kinds, name)
    check_distinct("cells", names)


def _class_of(kinds: Mapping[str, Any], name: str) -> type[Cell]:
    """The class of a kind. Raises UserError at what builds no cell once sizes are known."""
    node = kinds[name]
    partial = isinstance(node, Mapping) and "_target_" in node and node.get("_partial_") is True
    kind: Any = find(node["_target_"], f"kinds.{name}") if partial else None
    if not (isinstance(kind, type) and issubclass(kind, Cell)):
        raise UserError(f"kinds.{name} must have a class of cells as _target_, and _partial_=true, but is {node}.")
    return kind


def _has_bias(node: Mapping[str, Any]) -> bool:
    """Tell whether a kind has a bias of the gate that keeps the memory: own ones may have no initialization."""
    return "forget_bias" in (node.get("initialization") or {})


def _biased(
    kinds: Mapping[str, Any], names: Sequence[str], biases: Sequence[int | float]
) -> Iterator[tuple[str, CellKind]]:
    for name in names:
        if not _has_bias(kinds[name]):
            yield name, build(kinds[name], f"kinds.{name}")
            continue
        for bias in biases:
            node = deepcopy(kinds[name])
            node["initialization"]["forget_bias"] = float(bias)
            yield f"{name}, forget bias {bias:g}", build(node, f"kinds.{name}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
