"""Description of a model for the page's script: its parts by kind, and the names of their tensors."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from seq2seq.errors import UserError
from seq2seq.layers.attention.additive import AdditiveAttention
from seq2seq.layers.attention.dot import DotAttention
from seq2seq.layers.attention.general import GeneralAttention
from seq2seq.layers.attention.none import NoAttention
from seq2seq.layers.inputs.tokens import TokenInput
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.layers.recurrent.bidirectional import BidirectionalLayer
from seq2seq.layers.recurrent.blockwise import BlockwiseLayer
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.fused import FusedCell
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.connections import (
    DenseConnection,
    HighwayConnection,
    PlainConnection,
    ResidualConnection,
)
from seq2seq.layers.recurrent.one_way import OneWayLayer
from seq2seq.models.bridge import LastOutputBridge, StateBridge, ZeroBridge
from seq2seq.models.decoder import GNMTDecoder, LuongDecoder
from seq2seq.models.input_feeding import BahdanauDecoder
from seq2seq.models.seq2seq import Seq2Seq

Kinds = Mapping[type[nn.Module], str]
Facts = dict[str, Any]
# All that the script computes, by what a config calls it. A subclass may compute something else, so types are exact.
_MODELS: Kinds = {Seq2Seq: "seq2seq"}
_INPUTS: Kinds = {TokenInput: "tokens"}
_LAYERS: Kinds = {BidirectionalLayer: "both", OneWayLayer: "forward", BlockwiseLayer: "both in blocks"}
_CELLS: Kinds = {LSTMCell: "lstm", GRUCell: "gru"}
_CONNECTIONS: Kinds = {
    PlainConnection: "none",
    ResidualConnection: "residual",
    HighwayConnection: "highway",
    DenseConnection: "dense",
}
_BRIDGES: Kinds = {LastOutputBridge: "last", ZeroBridge: "zero", StateBridge: "state"}
_DECODERS: Kinds = {LuongDecoder: "luong", GNMTDecoder: "gnmt", BahdanauDecoder: "bahdanau"}
_ATTENTIONS: Kinds = {
    DotAttention: "dot",
    GeneralAttention: "general",
    AdditiveAttention: "additive",
    NoAttention: "none",
}
_OUTPUTS: Kinds = {TiedOutput: "tied", FullOutput: "full"}
_INSTEAD = "train one of these, or choose to=onnx."


def describe(model: Seq2Seq) -> Facts:
    """The parts of a model by kind, with the names of their tensors, in plain types.

    Raises UserError, by name, at a part that the page's script does not compute.
    """
    _kind("model", model, _MODELS)
    names = {id(part): name for name, part in model.named_modules()}
    if model.copying is not None:
        raise UserError("to=page cannot copy pieces of a source: train without copying, or decode by the run.")
    return {
        "encoder": {"input": _input(model, names), "layers": _encoder_layers(model, names)},
        "bridge": {"kind": _kind("bridge", model.bridge, _BRIDGES), "at": names[id(model.bridge)]},
        "decoder": _decoder(model, names),
        "output": _output(model),
    }


def _kind(what: str, part: nn.Module, known: Kinds) -> str:
    """The kind of a part. Raises UserError at one that is not known."""
    if type(part) not in known:
        raise UserError(
            f"to=page knows the {what}s {', '.join(known.values())}, but none for {type(part).__name__}: {_INSTEAD}"
        )
    return known[type(part)]


def _cell(cell: Cell, name: str, at: str) -> Facts:
    kind = _kind("cell", cell, _CELLS)
    if not (isinstance(cell, FusedCell) and cell.plain):
        raise UserError(
            f"to=page knows {kind} with its usual activations and without zoneout, but this model has others: decode "
            "by the run."
        )
    return {"kind": kind, "name": name, "at": at, "hidden": cell.hidden_size, "names": list(cell.gate_names)}


def _connection(part: nn.Module, names: Mapping[int, str]) -> Facts:
    return {"kind": _kind("connection", part, _CONNECTIONS), "at": names[id(part)]}


def _input(model: Seq2Seq, names: Mapping[int, str]) -> Facts:
    part: Any = model.encoder.input
    _kind("input", part, _INPUTS)
    if part.front_end is not None:
        raise UserError(
            f"to=page knows encoders without a front end, but this one has {type(part.front_end).__name__}: train "
            "without, or choose to=onnx."
        )
    table = f"{names[id(part.embedding)]}.table.weight"
    if part.ngrams is None:
        return {"embedding": table, "ngrams": None}
    at = names[id(part.ngrams)]
    ngrams = {
        "windows": [list(window) for window in part.ngrams.windows],
        "tables": [f"{at}.tables.{number}.weight" for number in range(len(part.ngrams.tables))],
        "vocabulary": part.ngrams.vocabulary_size,
        "mixed": part.ngrams.mixed,
    }
    return {"embedding": table, "ngrams": ngrams}


def _encoder_layers(model: Seq2Seq, names: Mapping[int, str]) -> list[Facts]:
    stack, found = model.encoder.stack, []
    parts = zip(stack.layers, stack.connections, stack.steps, strict=True)
    for depth, (layer, connection, steps) in enumerate(parts, 1):
        _kind("layer", layer, _LAYERS)
        own: Any = layer
        cells = {
            direction: _cell(cell, f"encoder {depth}, {direction}", names[id(cell)])
            for direction, cell in own.directions.items()
        }
        blocks = {
            name: getattr(own, size, None) for name, size in (("block", "block_size"), ("lookahead", "lookahead"))
        }
        found.append(
            {
                "name": f"encoder {depth}",
                "steps": steps,
                "forward": cells["forward"],
                "backward": cells.get("backward"),
                "connection": _connection(connection, names),
                "block": blocks["block"],
                "lookahead": blocks["lookahead"] or 0,
            }
        )
    return found


def _decoder(model: Seq2Seq, names: Mapping[int, str]) -> Facts:
    decoder: Any = model.decoder
    kind = _kind("decoder", decoder, _DECODERS)
    cells: Sequence[Cell] = decoder.layers
    if kind == "gnmt":  # whose connections are part of its equations
        connections = [{"kind": "none"} if depth < 2 else {"kind": "residual"} for depth in range(len(cells))]
    else:
        connections = [_connection(part, names) for part in decoder.connections]
    return {
        "kind": kind,
        "embedding": f"{names[id(decoder.embedding)]}.table.weight",
        "cells": [_cell(cell, f"decoder {depth}", names[id(cell)]) for depth, cell in enumerate(cells, 1)],
        "connections": connections,
        "attention": _attention(decoder.attention, names),
        "feed": names[id(decoder.feed)] if kind == "bahdanau" else None,
        "readout": names[id(decoder.readout)],
    }


def _attention(attention: Any, names: Mapping[int, str]) -> Facts:
    kind = _kind("attention", attention, _ATTENTIONS)
    if attention.normalizer != "softmax":
        raise UserError(
            f"to=page makes weights by softmax, but this model's attention_normalizer is {attention.normalizer}: "
            "decode by the run."
        )
    return {"kind": kind, "at": names[id(attention)], "scale": getattr(attention, "scale", 1.0)}


def _output(model: Seq2Seq) -> Facts:
    output: Any = model.output
    kind = _kind("output", output, _OUTPUTS)
    if output.normalizer != "softmax":
        raise UserError(
            f"to=page makes probabilities by softmax, but this model's output has normalizer={output.normalizer}: "
            "decode by the run."
        )
    tied = kind == "tied"
    return {
        "kind": kind,
        "projection": "output.projection.weight" if tied and not isinstance(output.projection, nn.Identity) else None,
        "weight": "output.weight" if tied else "output.projection.weight",
        "bias": "output.bias" if tied else "output.projection.bias",
        "vocabulary": model.decoder.embedding.vocabulary_size,
    }
