"""Laws of gradients by distance: exact, and the whole gradient when they are summed."""

from math import isfinite

import pytest
import torch
from tiny_models import ATTENTIONS, CELLS, COPYING, OUTPUTS

from seq2seq.errors import UserError
from seq2seq.interpretation.flow_plot import flow_figure
from seq2seq.interpretation.gradient_flow import (
    PATHS,
    FlowMeans,
    ModelFlow,
    by_distance,
    cell_flow,
    has_flow,
    paths_of,
    tapped,
)
from seq2seq.interpretation.trace import named_cells
from seq2seq.layers.recurrent.cells.elman import ElmanCell
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.memory import MemoryCell
from seq2seq.layers.recurrent.cells.no_forget import NoForgetLSTMCell
from seq2seq.layers.recurrent.cells.options import CellOptions, GatedCellOptions
from seq2seq.layers.recurrent.initialization import ForgetBias

TIME, SIZE = 7, 4


def run(cell, inputs, path="whole"):
    """Losses of all steps, `batch time`, not alike, and the states that a cell left."""
    with tapped([cell], path) as states:
        outputs, _ = cell.unroll(inputs, cell.start(inputs[:, 0]))
    weights = torch.linspace(-1, 2, outputs.shape[-1], dtype=outputs.dtype)
    return (outputs.sin() * weights).sum(-1), states[cell]


@pytest.fixture
def inputs():
    return torch.randn(2, TIME, SIZE, dtype=torch.float64)


@pytest.fixture(params=sorted(CELLS))
def cell(request):
    return CELLS[request.param](SIZE, SIZE).double().eval()


def summed(losses, states):
    """Gradients of every state, summed over the losses behind it."""
    totals = [[torch.zeros_like(part) for part in state] for state in states]
    for _, gradients in by_distance(losses, states):
        for total, gradient in zip(totals, gradients, strict=False):
            for own, part in zip(total, gradient, strict=True):
                own += part
    return totals


@pytest.mark.parametrize("path", PATHS)
def test_gradients_by_distance_sum_to_the_whole(cell, inputs, path):
    losses, states = run(cell, inputs, path)
    parts = [part for state in states for part in state]
    whole = torch.autograd.grad(losses.sum(), parts, retain_graph=True, materialize_grads=True)
    found = [part for total in summed(losses, states) for part in total]
    assert any(part.abs().max() > 0 for part in whole)
    for one, other in zip(found, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_through_states_they_sum_to_the_gradient_of_the_weights(cell, inputs):
    """What each step does to its state, by all losses behind it, is all that its weights do."""
    losses, states = run(cell, inputs)
    weights = [weight for weight in cell.parameters() if weight.requires_grad]
    whole = torch.autograd.grad(losses.sum(), weights, retain_graph=True, materialize_grads=True)
    totals, before, found = summed(losses, states), cell.start(inputs[:, 0]), [torch.zeros_like(w) for w in weights]
    for step, (state, total) in enumerate(zip(states, totals, strict=True)):
        stepped, _ = cell.advance(cell.project(inputs[:, step]), before)
        reached = sum((part * gradient).sum() for part, gradient in zip(stepped, total, strict=True))
        own = torch.autograd.grad(reached, weights, materialize_grads=True)
        found = [one + other for one, other in zip(found, own, strict=True)]
        before = type(state)(*(part.detach() for part in state))
    for one, other in zip(found, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


def test_they_are_finite_differences(cell, inputs):
    """A state moved by a little, part by part and unit by unit, moves the loss as its gradient says."""
    if isinstance(cell, MemoryCell):
        pytest.skip("strengths that are 0 stand at a kink")
    losses, states = run(cell, inputs)
    first, last, tiny = 2, 5, 1e-6
    gradients = next(found for time, found in by_distance(losses, states) if time == last)[first]

    def loss_from(state):
        for step in range(first + 1, last + 1):
            state, _ = cell.advance(cell.project(inputs[:, step]), state)
        weights = torch.linspace(-1, 2, state.hidden.shape[-1], dtype=torch.float64)
        return (state.hidden.sin() * weights).sum(-1)

    with torch.no_grad():
        for name, gradient in gradients._asdict().items():
            for unit in range(gradient.shape[-1]):
                moved = torch.zeros_like(gradient)
                moved[:, unit] = tiny
                up, down = (
                    loss_from(states[first]._replace(**{name: getattr(states[first], name) + sign * moved}))
                    for sign in (1, -1)
                )
                torch.testing.assert_close((up - down) / (2 * tiny), gradient[:, unit], rtol=1e-4, atol=1e-8)


def test_nothing_is_other_than_without(cell, inputs):
    cell.fused = False
    plain = cell.unroll(inputs, cell.start(inputs[:, 0]))[0]
    for path in PATHS:
        with tapped([cell], path):
            assert torch.equal(cell.unroll(inputs, cell.start(inputs[:, 0]))[0], plain)
    assert not cell._forward_hooks
    assert not cell._forward_pre_hooks


def test_the_way_through_the_cell_state_is_the_product_of_forget_gates(inputs):
    cell = LSTMCell(SIZE, SIZE).double().eval()
    losses, states = run(cell, inputs, "cell")
    gates = []
    state = cell.start(inputs[:, 0])
    for step in range(TIME):
        state, own = cell.advance(cell.project(inputs[:, step]), state)
        gates.append(own)
    (time, found), *_ = (one for one in by_distance(losses, states) if one[0] == TIME - 1)
    shown = torch.autograd.grad(losses[:, time].sum(), states[time].hidden, retain_graph=True)[0]
    at_end = shown * gates[time].output * (1 - states[time].cell.tanh().square())
    for start in range(1, time):
        kept = torch.stack([own.forget for own in gates[start + 1 :]]).prod(0)
        torch.testing.assert_close(found[start].cell, at_end * kept)
    assert all(not gradient.hidden.any() for gradient in found[:-1])


def test_without_a_forget_gate_that_way_keeps_all(inputs):
    """Constant error carousel: the same at every distance (Hochreiter & Schmidhuber 1997)."""
    flow = cell_flow(NoForgetLSTMCell(SIZE, SIZE).double(), torch.randn(3, 30, SIZE).double(), "cell", losses=4)
    assert len(flow.cell) == 27
    assert flow.cell[1:] == pytest.approx([flow.cell[1]] * 26, rel=1e-12)
    assert flow.rate() == pytest.approx(1)


def test_an_orthogonal_linear_network_neither_loses_nor_adds():
    cell = ElmanCell(SIZE, SIZE, options=CellOptions(activation="identity")).double()
    assert cell_flow(cell, torch.randn(3, 30, SIZE).double()).hidden == pytest.approx([1.0] * 15, rel=1e-5)


@pytest.mark.parametrize("bias", [-2.0, 0.0, 3.0])
def test_rates_follow_the_forget_bias(bias):
    """Gates at the sigmoid of their bias, as nothing else moves them."""
    cell = LSTMCell(3, 3, options=GatedCellOptions(initialization=ForgetBias(forget_bias=bias))).double()
    flow = cell_flow(cell, torch.zeros(1, 40, 3).double(), "cell")
    assert flow.rate() == pytest.approx(torch.tensor(bias).double().sigmoid().item(), rel=1e-6)


def test_a_network_with_large_weights_explodes():
    cell = ElmanCell(SIZE, SIZE, options=CellOptions(activation="identity")).double()
    with torch.no_grad():
        cell.kernel.weight_hh_l0.mul_(1.5)
    assert cell_flow(cell, torch.randn(3, 30, SIZE).double()).rate() == pytest.approx(1.5)


def test_what_neighbours_read_changes_no_sentence(build_model, any_decoder, pairs):
    """Means over a batch are those over its sentences one by one."""
    model = build_model(decoder=any_decoder, decoder_layers=2).double()
    source, lengths, target = pairs
    names = list(named_cells(model))
    together, apart = (ModelFlow(model, names) for _ in range(2))
    together.add(source, lengths, target)
    for row in range(len(source)):
        own = slice(row, row + 1)
        width = int((target[own] != 0).sum())
        apart.add(source[own, : lengths[row]], lengths[own], target[own, :width])
    for name in names:
        one, other = together.means[name], apart.means[name]
        assert one.counts == other.counts
        assert one.sums == [pytest.approx(sums, rel=1e-8, abs=1e-14) for sums in other.sums]


@pytest.mark.parametrize("copying", [None, *COPYING.values()], ids=["none", *COPYING])
@pytest.mark.parametrize("output", OUTPUTS)
def test_targets_of_unlike_length_leave_each_alone_whatever_is_said_with(build_model, output, copying, pairs):
    options = {"output": OUTPUTS[output], "copying": copying}
    if copying is not None and output not in ("full", "tied"):
        with pytest.raises(UserError, match="copying"):
            build_model(**options)
        return
    model = build_model(**options).double()
    source, lengths, target = pairs
    names = list(named_cells(model))
    together, alone = (ModelFlow(model, names) for _ in range(2))
    together.add(source, lengths, target)
    for row, ids in enumerate(target):
        own = slice(row, row + 1)
        alone.add(source[own, : lengths[row]], lengths[own], target[own, : (ids != 0).sum()])
    assert len(set((target != 0).sum(1).tolist())) > 1
    for name in names:
        one, other = together.means[name], alone.means[name]
        assert all(isfinite(total) for sums in one.sums for total in sums)
        assert one.counts == other.counts
        assert one.sums == [pytest.approx(sums, rel=1e-8, abs=1e-14) for sums in other.sums]


def test_gradients_of_a_model_sum_to_those_of_its_loss(build_model, any_decoder, pairs):
    model = build_model(decoder=any_decoder).double().eval()
    source, lengths, target = pairs
    cell = named_cells(model)["decoder 1"]
    with tapped([cell]) as states:
        features = model(source, lengths, target[:, :-1])[0]
    tokens = target[:, 1:]
    losses = model.output.loss(features.flatten(0, 1), tokens.flatten()).unflatten(0, tokens.shape) * (tokens != 0)
    whole = torch.autograd.grad(losses.sum(), [s.hidden for s in states[cell]], retain_graph=True)
    totals = [part[0] for part in summed(losses, states[cell])]
    for one, other in zip(totals, whole, strict=True):
        torch.testing.assert_close(one, other)
    flow = ModelFlow(model, ["decoder 1"])
    flow.add(source, lengths, target)
    last = int((tokens != 0).sum(1).max()) - 1
    row = int((tokens != 0).sum(1).argmax())
    (gradient,) = torch.autograd.grad(losses[row, last], states[cell][0].hidden)
    assert flow.flows()["decoder 1"].hidden[last] == pytest.approx(gradient[row].norm().item())


@pytest.mark.parametrize("attention", sorted(ATTENTIONS))
def test_through_cell_states_alone_nothing_comes_by_what_attention_reads(build_model, any_decoder, attention, pairs):
    """Neither by a query that is the state before, nor by where attention has looked before."""
    model = build_model(decoder=any_decoder, attention=attention).double()
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    top = [*named_cells(model)][-1]
    flows = {path: ModelFlow(model, [top], path=path) for path in PATHS}
    plain = model.eval()(*pairs[:2], pairs[2][:, :-1])[0]
    for flow in flows.values():
        flow.add(*pairs)
    through = {path: flow.flows()[top] for path, flow in flows.items()}
    assert not any(through["cell"].hidden[1:])
    assert not any(through["hidden"].cell[1:])
    assert all(through["cell"].cell[1:])
    assert all(through["whole"].hidden)
    assert torch.equal(model(*pairs[:2], pairs[2][:, :-1])[0], plain)


def test_ways_are_those_that_differ():
    assert paths_of(LSTMCell(3, 4)) == PATHS
    assert paths_of(GRUCell(3, 4)) == paths_of(CELLS["min_gru"](4, 4)) == ("whole",)


def test_a_picture_has_a_panel_for_each_way_and_a_curve_for_each_cell():
    inputs = torch.randn(2, 20, 4)
    lstm, elman = LSTMCell(4, 4), ElmanCell(4, 4)
    curves = {
        "lstm": {path: cell_flow(lstm, inputs, path, losses=4) for path in PATHS},
        "elman": {"whole": cell_flow(elman, inputs, losses=4)},
    }
    figure = flow_figure(curves)
    assert [len(axes.lines) for axes in figure.axes] == [3, 1, 1]
    assert all(axes.get_yscale() == "log" for axes in figure.axes)
    assert len(flow_figure({"elman": curves["elman"]}).axes) == 1
    assert [text.get_text() for text in figure.legends[0].texts][:2] == ["lstm", "elman"]


def test_nothing_that_arrives_has_no_rate():
    means = FlowMeans("readout", "whole")
    losses, states = run(ElmanCell(3, 3), torch.randn(1, 4, 3))
    means.add(losses * 0, states, torch.tensor([4]))
    assert means.flow().rate() is None


OTHERS = [
    {"chunk_size": 2},
    {"halvings": 1},
    {"direction": "forward"},
    {"block_size": 2},
    {"checkpointing": True},
    {"dropout": 0.3},
]


@pytest.mark.parametrize("parts", OTHERS, ids=str)
def test_models_of_every_build_have_them(build_model, pairs, parts):
    model = build_model(decoder="bahdanau", **parts)
    names = [name for name in named_cells(model) if has_flow(model, name)]
    assert ("encoder 1 backward" in names) == (not {"block_size", "direction"} & set(parts))
    flow, plain = ModelFlow(model, names), ModelFlow(model, names[::-1])
    flow.add(*pairs)
    plain.add(*pairs)
    for name, found in flow.flows().items():
        assert plain.flows()[name] == found  # one cell's backward pass leaves the next alone
        assert found.hidden[0] == pytest.approx(1, abs=1e-5) or name == "decoder 1"
        assert all(norm > 0 for norm in found.hidden)


def test_memories_beside_a_cell_have_none(build_model):
    model = build_model(decoder="bahdanau", cell=CELLS["stack"])
    assert not any(has_flow(model, name) for name in named_cells(model))
