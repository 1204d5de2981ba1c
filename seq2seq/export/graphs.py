"""Graphs of a model: `start` and `step`, traced so that the sizes of no example stay in them."""

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

import onnx
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from seq2seq.decoding.stepper import reorder
from seq2seq.errors import UserError
from seq2seq.export.manifest import OPSET
from seq2seq.export.operators import use_operators
from seq2seq.layers.output.output import Output, Rows, WideScores
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.symbols import BOS, PAD

EXAMPLE = 3, 2  # sentences and hypotheses of the example that is traced
_SOURCES = (3, 37), (2, 11)  # of two examples: axes on which these differ can be of any size
_SMALLEST = 2  # size that tracing takes as like all others; 1 is tried by the proof
_AXES = {(3, 2): "batch", (37, 11): "source"}


class Graphs(NamedTuple):
    """The two graphs, and the names of the tensors that the first hands the second: of a sentence, of a hypothesis."""

    start: onnx.ModelProto
    step: onnx.ModelProto
    memory: tuple[str, ...]
    states: tuple[str, ...]


class _Leaf(NamedTuple):
    """A tensor that `start` gives: its name, its sizes, and the names of the axes that can be of any size."""

    name: str
    tensor: Tensor
    axes: dict[int, str]


@torch.no_grad()
def trace(model: Seq2Seq) -> Graphs:
    """The graphs of a model in evaluation mode on a CPU.

    Raises UserError, by name, at a cell that ONNX has no operator for, and at what cannot be traced.
    """
    random = torch.Generator().manual_seed(1)
    source, lengths = _example(model, random, *_SOURCES[0])
    nests = [model.start(source, lengths), model.start(*_example(model, random, *_SOURCES[1]))]
    memory, states = (_leaves(large, small) for large, small in zip(*nests, strict=True))
    traced = _traceable(model)
    axes = {0: "batch", 1: "source"}
    given = [_Leaf("source", source, axes), _Leaf("lengths", lengths, {0: "batch"})]
    start = _graph("start", _Start(traced, nests[0]), given, [*memory, *states])
    many = [leaf._replace(tensor=_repeated(leaf.tensor), axes={**leaf.axes, 1: "beam"}) for leaf in states]
    ids = _Leaf("ids", torch.randint(PAD, BOS, EXAMPLE, generator=random), {0: "batch", 1: "beam"})
    every = {0: "batch", 1: "beam"}
    said = [_Leaf("logits", source, every), _Leaf("weights", source, {**every, 2: "source"})]
    after = [leaf._replace(name=f"next_{leaf.name}") for leaf in many]
    step = _graph("step", _Step(traced, nests[0]), [ids, *memory, *many], [*said, *after])
    return Graphs(start, step, tuple(leaf.name for leaf in memory), tuple(leaf.name for leaf in states))


class _Start(nn.Module):
    """The model's `start` with what it gives as a row of tensors, each once."""

    def __init__(self, model: Seq2Seq, nest: Any) -> None:
        super().__init__()
        self.model = model
        self.first = [place for place, own in enumerate(_places(nest)) if own == len(set(_places(nest)[:place]))]

    def forward(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        found = pytree.tree_leaves(self.model.start(source, lengths))
        return tuple(found[place] for place in self.first)


class _Step(nn.Module):
    """The model's `step` from such a row."""

    def __init__(self, model: Seq2Seq, nest: Any) -> None:
        super().__init__()
        self.model = model
        self.places, self.shape = _places(nest), pytree.tree_structure(nest)

    def forward(self, ids: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        memory, states = pytree.tree_unflatten([given[place] for place in self.places], self.shape)
        logits, weights, states = self.model.step(ids, memory, states)
        return logits, weights, *pytree.tree_leaves(states)


def _places(nest: Any) -> list[int]:
    """The number of each tensor of a nest among its tensors: one that is there twice, as its own keys, has one."""
    numbers: dict[int, int] = {}
    return [numbers.setdefault(id(leaf), len(numbers)) for leaf in pytree.tree_leaves(nest)]


def _leaves(large: Any, small: Any) -> list[_Leaf]:
    """Tensors of a nest, each once, by what differs between two examples."""
    found: dict[int, _Leaf] = {}
    for (path, leaf), other in zip(pytree.tree_flatten_with_path(large)[0], pytree.tree_leaves(small), strict=True):
        name = re.sub(r"\W+", "_", pytree.keystr(path)).strip("_")
        pairs = list(enumerate(zip(leaf.shape, other.shape, strict=True)))
        axes = {axis: _AXES.get(pair, "positions") for axis, pair in pairs if pair[0] != pair[1]}
        found.setdefault(id(leaf), _Leaf(name, leaf, axes))
    return list(found.values())


def _example(model: Seq2Seq, random: torch.Generator, batch: int, time: int) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([time, *(1 + time // (3 + row) for row in range(batch - 1))])
    return model.encoder.input.drawn((batch, time), random), lengths


def _repeated(state: Tensor) -> Tensor:
    return reorder(state, torch.zeros(EXAMPLE, dtype=torch.long))


def _traceable(model: Seq2Seq) -> Seq2Seq:
    """A copy of a model with operators for layers, and outputs that write into nothing."""
    copy = deepcopy(model)
    copy.encoder.stack.layers = use_operators(copy.encoder.stack.layers)
    for module in copy.modules():
        if isinstance(module, Output) and type(module).barred is Output.barred:
            vars(module)["barred"] = partial(_barred, module)
    return copy


def _barred(output: Output, features: Rows) -> WideScores:
    scores = output.scores(features)
    barred = torch.zeros(scores.shape[1], dtype=torch.bool)
    barred[[PAD, BOS]] = True
    if output.vocabulary_size is not None:
        barred[output.vocabulary_size :] = True
    return scores.masked_fill(barred, float("-inf"))


def _graph(name: str, module: nn.Module, given: Sequence[_Leaf], found: Sequence[_Leaf]) -> onnx.ModelProto:
    """The graph of a module, with named tensors and axes."""
    sizes = [dict.fromkeys(leaf.axes, torch.export.Dim.DYNAMIC) for leaf in given]
    shapes: Any = tuple(sizes) if name == "start" else (sizes[0], tuple(sizes[1:]))
    try:
        with quiet():
            program = torch.onnx.export(
                module.eval(),
                tuple(leaf.tensor for leaf in given),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=shapes,
                input_names=[leaf.name for leaf in given],
                output_names=[leaf.name for leaf in found],
                verbose=False,
            )
    except Exception as error:  # the exporter raises whatever the part that it cannot trace leads to
        raise UserError(
            f"to=onnx cannot trace {name} of {_parts(module)}: {_reason(error)} Decode by the run."
        ) from error
    assert program is not None
    _check_ranges(name, module, program)
    graph = _named(program.model_proto, given, found)
    onnx.checker.check_model(graph, full_check=True)
    return graph


def _check_ranges(name: str, module: nn.Module, program: torch.onnx.ONNXProgram) -> None:
    """Raise UserError where what was traced holds for some sizes alone, as a loop does that hangs on the source."""
    assert program.exported_program is not None
    for range in program.exported_program.range_constraints.values():
        if range.lower > _SMALLEST or range.upper.is_Integer:
            raise UserError(
                f"to=onnx cannot trace {name} of {_parts(module)} for sources of all lengths, only from {range.lower} "
                f"to {range.upper}: decode by the run, or train with another attention."
            )


def _parts(module: nn.Module) -> str:
    """The kinds of a model's parts that graphs may lack something for."""
    model: Any = module.model
    attention = type(model.decoder.attention).__name__
    return f"{type(model.decoder).__name__} with {attention} and {type(model.output).__name__}"


def _named(model: onnx.ModelProto, given: Sequence[_Leaf], found: Sequence[_Leaf]) -> onnx.ModelProto:
    """The model with its axes named, and without what tells of the machine that it was made on.

    Raises UserError where an axis has kept the size of the example.
    """
    leaves = {leaf.name: leaf for leaf in (*given, *found)}
    for value in (*model.graph.input, *model.graph.output):
        for axis, size in enumerate(value.type.tensor_type.shape.dim):
            if (wanted := leaves[value.name].axes.get(axis)) is not None:
                if not size.dim_param:
                    raise UserError(
                        f"to=onnx must leave {wanted} of {value.name} open, but it is {size.dim_value}: decode by the "
                        "run."
                    )
                size.dim_param = wanted
    del model.graph.value_info[:]
    for part in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    return model


def tensors_of(model: onnx.ModelProto) -> dict[str, list[dict[str, Any]]]:
    """Names, types and sizes of a graph's inputs and outputs, in plain types; sizes that are open have names."""
    return {
        "inputs": [_told(value) for value in model.graph.input],
        "outputs": [_told(value) for value in model.graph.output],
    }


def _told(value: onnx.ValueInfoProto) -> dict[str, Any]:
    tensor = value.type.tensor_type
    kind = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    return {"name": value.name, "type": kind, "shape": [size.dim_param or size.dim_value for size in tensor.shape.dim]}


def _reason(error: BaseException) -> str:
    """The mistake at the bottom of others, in one line."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    line = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {line.rstrip('.')}."


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporter's warnings and progress, which are of its own insides, from a user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
