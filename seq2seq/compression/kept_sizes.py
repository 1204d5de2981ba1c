"""Sizes of the model that a smaller one was, kept in its config where they are part of its equations."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from torch import nn

from seq2seq.layers.attention.dot import DotAttention
from seq2seq.layers.attention.general import GeneralAttention
from seq2seq.layers.recurrent.cells.layer_norm import LayerNormLSTMCell
from seq2seq.layers.recurrent.connections import ResidualConnection, by_layer
from seq2seq.models.seq2seq import Seq2Seq

_SIDES = ("encoder", "decoder")
_SCALE, _NORM = "scale_size", "norm_size"


def with_kept_sizes(config: Mapping[str, Any], whole: Seq2Seq) -> dict[str, Any]:
    """The node of a smaller model by which scores are scaled, and sums normalised, as those of the whole one are."""
    kept = deepcopy(dict(config))
    attention, node = whole.decoder.attention, kept["decoder"].get("attention")
    if isinstance(attention, DotAttention | GeneralAttention) and attention.scaled:
        node[_SCALE] = round(attention.scale**-2)
    for side in _SIDES:
        if cell := next((part for part in getattr(whole, side).modules() if isinstance(part, LayerNormLSTMCell)), None):
            kept[side]["cell"][_NORM] = cell.hidden_size + cell.absent
    return kept


def of_any_size(node: Mapping[str, Any]) -> dict[str, Any]:
    """The node of a part that can be made for other sizes than its own."""
    return {**node, **{name: None for name in (_SCALE, _NORM) if name in node}}


def with_kept_connections(config: Mapping[str, Any], whole: Seq2Seq, smaller: Seq2Seq) -> dict[str, Any]:
    """The node of a smaller model without residual connections that would come of sizes that happen to agree now."""
    kept = deepcopy(dict(config))
    for side in _SIDES:
        pairs = list(zip(_connections(whole, side), _connections(smaller, side), strict=True))
        sprung = [_adds(after) and not _adds(before) for before, after in pairs]
        if any(sprung):
            names = by_layer(kept[side]["connection"], len(pairs))
            kept[side]["connection"] = ["none" if new else name for new, name in zip(sprung, names, strict=True)]
    return kept


def _connections(model: Seq2Seq, side: str) -> list[nn.Module]:
    holder = model.encoder.stack if side == "encoder" else model.decoder
    return list(getattr(holder, "connections", ()))


def _adds(connection: nn.Module) -> bool:
    return isinstance(connection, ResidualConnection) and connection.adds
