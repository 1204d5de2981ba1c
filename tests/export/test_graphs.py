"""Graphs do what a model's `start` and `step` do, at sizes unlike those of the example that was traced."""

from functools import partial
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from tiny_models import CELLS
from torch import nn
from torch.utils import _pytree as pytree

from seq2seq.decoding.stepper import reorder
from seq2seq.errors import UserError
from seq2seq.export import graphs
from seq2seq.export.graphs import EXAMPLE, Graphs, tensors_of, trace
from seq2seq.export.onnx_stepper import GraphNames, ModelFacts, OnnxStepper
from seq2seq.layers.copying import Pointer
from seq2seq.models.bridge import StateBridge

SHAPES = ((1, 1, 1), (1, 9, 5), (2, 2, 3), (4, 70, 1), (5, 6, 4), (16, 3, 2))  # sentences, tokens, hypotheses
FACTS = ModelFacts(attends=True, copies=False, edits=False)
MODELS: dict[str, dict[str, Any]] = {
    "lstm, coverage, input feeding": {"decoder": "bahdanau", "attention": "coverage", "decoder_layers": 2},
    "gru, keys that are values, halvings, copying": {
        **{"cell": CELLS["gru"], "attention": "dot", "halvings": 1, "copying": Pointer}
    },
    "rnn with relu, one way, states handed on": {
        **{"cell": CELLS["elman_relu"], "direction": "forward", "bridge": StateBridge},
        **{"encoder_size": 8, "decoder_layers": 2, "vocabulary_multiple": 8},
    },
}


def stepper_of(found: Graphs) -> OnnxStepper:
    data = {"start": found.start.SerializeToString(), "step": found.step.SerializeToString()}
    return OnnxStepper(data, GraphNames(found.memory, found.states), FACTS)


def assert_close(one: Any, other: Any, mask: torch.Tensor) -> None:
    """Equal but for rounding; memory behind a sentence's end is nobody's."""
    for own, same in zip(one, other, strict=True):
        assert own.shape == same.shape
        assert own.dtype == same.dtype
        if own.shape[:2] == mask.shape:
            own, same = own[mask], same[mask]
        np.testing.assert_allclose(own.numpy(), same.numpy(), atol=1e-5)


def assert_open(found: Graphs) -> None:
    """No size of the example stays, and nothing tells of where graphs were made."""
    start, step = tensors_of(found.start), tensors_of(found.step)
    assert start["inputs"][0] == {"name": "source", "type": "int64", "shape": ["batch", "source"]}
    assert step["inputs"][0] == {"name": "ids", "type": "int64", "shape": ["batch", "beam"]}
    shapes = {value["name"]: value["shape"] for graph in (start, step) for each in graph.values() for value in each}
    assert shapes["logits"][:2] == ["batch", "beam"]
    assert shapes["weights"] == ["batch", "beam", "source"]
    assert all(shapes[name][0] == "batch" for name in found.memory)
    assert all(shapes[f"next_{name}"][:2] == ["batch", "beam"] for name in found.states)
    for model in (found.start, found.step):
        onnx.checker.check_model(model, full_check=True)
        assert [each.version for each in model.opset_import if each.domain == ""] == [20]
        assert ".py" not in str(model)


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
@torch.inference_mode()
def test_graphs_are_the_model(build_model, options):
    model = build_model(**options).eval()
    found = trace(model)
    assert_open(found)
    exported = stepper_of(found)
    for batch, time, beam in SHAPES:
        source, lengths = torch.randint(4, 12, (batch, time)), torch.randint(1, time + 1, (batch,))
        lengths[0] = time
        memory, states = model.start(source, lengths)
        ours, mine = exported.start(source, lengths)
        unique = list({id(leaf): leaf for leaf in pytree.tree_leaves((memory, states))}.values())
        assert_close([*ours, *mine], unique, memory.mask)
        parents = torch.zeros(batch, beam, dtype=torch.long)
        states, mine = reorder(states, parents), reorder(mine, parents)
        for _ in range(3):
            ids = torch.randint(4, 12, (batch, beam))
            logits, weights, states = model.step(ids, memory, states)
            own, looked, mine = exported.step(ids, ours, mine)
            assert_close([own, looked], [logits, weights], torch.empty(0))


REFUSED = {
    "SRUCell": {"cell": CELLS["sru"]},
    "MogrifierLSTMCell": {"cell": CELLS["mogrifier"]},
    "LSTMCell": {"cell": partial(CELLS["lstm"], activation="relu")},
    "BlockwiseLayer": {"block_size": 2},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_operator_is_refused_by_name(build_model, name):
    with pytest.raises(UserError, match=f"^to=onnx has .*{name[:7]}.*decode by the run"):
        trace(build_model(**REFUSED[name]).eval())


class Looping(nn.Module):
    """Takes a step for every doubling of its input, as an attention can."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, source, lengths):
        span, total = 1, source.sum(1)
        while span < source.shape[1]:
            span, total = span * 2, total + lengths
        return (total,)


class Branching(Looping):
    """Looks at a value to know where to go."""

    def forward(self, source, lengths):
        return (source.sum(1) if bool(lengths.sum() > 3) else lengths,)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Looping, "for sources of all lengths, only from 33 to 64: decode by the run"),
        (Branching, ": .*Decode by the run"),
    ],
)
def test_what_hangs_on_the_example_is_refused(build_model, kind, message):
    source, lengths = torch.randint(4, 12, (EXAMPLE[0], 37)), torch.tensor([37, 4, 2])
    axes = {0: "batch", 1: "source"}
    given = [graphs._Leaf("source", source, axes), graphs._Leaf("lengths", lengths, {0: "batch"})]
    with pytest.raises(
        UserError, match=f"^to=onnx cannot trace start of LuongDecoder with GeneralAttention.*{message}"
    ):
        graphs._graph("start", kind(build_model()), given, [graphs._Leaf("found", lengths, {0: "batch"})])


class Fixed(Looping):
    """Gives as many rows as the example has."""

    def forward(self, source, lengths):
        return (torch.arange(3) + source.sum(),)


def test_an_output_of_a_fixed_size_is_refused(build_model):
    source, lengths = torch.randint(4, 12, (EXAMPLE[0], 37)), torch.tensor([37, 4, 2])
    given = [graphs._Leaf("source", source, {0: "batch", 1: "source"}), graphs._Leaf("lengths", lengths, {0: "batch"})]
    with pytest.raises(UserError, match="^to=onnx must leave batch of found open, but it is 3: decode by the run"):
        graphs._graph("start", Fixed(build_model()), given, [graphs._Leaf("found", lengths, {0: "batch"})])
