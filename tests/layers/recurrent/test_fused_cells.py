"""Cells that torch has a kernel for equal torch's modules."""

import pytest
import torch
from torch import nn

from seq2seq.layers.recurrent.cells import fused
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.layers.recurrent.scan import scan

INPUT_SIZE, HIDDEN_SIZE, BATCH, TIME = 3, 5, 4, 6


def test_visible_equations_equal_torch_with_copied_weights(fused_kind, rough, random_state, gradients):
    cell = rough(fused_kind(INPUT_SIZE, HIDDEN_SIZE))
    sequence, first = torch.randn(BATCH, TIME, INPUT_SIZE, requires_grad=True), random_state(cell, BATCH)
    options = {"nonlinearity": cell.kernel.nonlinearity} if isinstance(cell.kernel, nn.RNN) else {}
    reference = type(cell.kernel)(INPUT_SIZE, HIDDEN_SIZE, batch_first=True, **options)
    reference.load_state_dict(cell.kernel.state_dict())
    outputs, last, _ = scan(cell, cell.project(sequence), first)
    given = tuple(part.unsqueeze(0) for part in first)
    expected, expected_last = reference(sequence, given if len(given) == 2 else given[0])
    torch.testing.assert_close(outputs, expected)
    expected_last = expected_last if isinstance(expected_last, tuple) else (expected_last,)
    torch.testing.assert_close(list(last), [part[0] for part in expected_last])
    ours = gradients(outputs, [sequence, *first, *cell.parameters()])
    theirs = gradients(expected, [sequence, *first, *reference.parameters()])
    torch.testing.assert_close(ours, theirs)


def runs_the_kernel(cell) -> bool:
    """Whether unroll calls torch's module."""
    called = []
    cell.kernel.register_forward_hook(lambda *_: called.append(1))
    cell.unroll(torch.randn(2, 3, INPUT_SIZE), cell.start(torch.zeros(2, 1)))
    return bool(called)


def test_the_kernel_runs_where_its_equations_are_asked_for(fused_kind):
    assert runs_the_kernel(fused_kind(INPUT_SIZE, HIDDEN_SIZE))
    assert not runs_the_kernel(fused_kind(INPUT_SIZE, HIDDEN_SIZE, regularization=Regularization(zoneout_hidden=0.1)))
    visible = fused_kind(INPUT_SIZE, HIDDEN_SIZE)
    visible.fused = False
    assert not runs_the_kernel(visible)


@pytest.mark.parametrize("options", [{"gate_activation": "hard_sigmoid"}, {"activation": "relu"}])
def test_other_activations_do_without_the_kernel(options):
    assert not runs_the_kernel(LSTMCell(INPUT_SIZE, HIDDEN_SIZE, options=GatedCellOptions(**options)))


def test_a_step_lists_no_weights(fused_kind, monkeypatch):
    """torch makes the list anew at every look."""
    cell = fused_kind(INPUT_SIZE, HIDDEN_SIZE)
    looked = []
    monkeypatch.setattr(nn.RNNBase, "all_weights", property(looked.append))
    cell.step(torch.randn(2, 1, INPUT_SIZE), cell.start(torch.zeros(2, 1)))
    assert not looked


def test_a_kernel_is_run_in_the_format_that_is_asked_for_and_its_weights_learn(monkeypatch, fused_kind):
    """As on CUDA under bfloat16, where autocast by itself would take float16."""
    cell, inputs = fused_kind(INPUT_SIZE, HIDDEN_SIZE), torch.randn(BATCH, TIME, INPUT_SIZE)
    cell.unroll(inputs, cell.start(inputs))[0].square().sum().backward()
    expected = {name: weight.grad.clone() for name, weight in cell.named_parameters()}
    cell.zero_grad()
    monkeypatch.setattr(fused, "_kind_on", lambda device: torch.float64)
    outputs, _ = cell.unroll(inputs, cell.start(inputs))
    outputs.square().sum().backward()
    assert outputs.dtype == torch.float64
    for name, weight in cell.named_parameters():
        torch.testing.assert_close(weight.grad, expected[name])


@pytest.mark.parametrize(
    ("autocast", "kernels", "kind"),
    [
        (None, True, None),
        (torch.float16, True, None),
        (torch.bfloat16, True, torch.bfloat16),
        (torch.bfloat16, False, torch.float32),
    ],
)
def test_bfloat16_on_cuda_is_never_float16(monkeypatch, autocast, kernels, kind):
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda device: autocast is not None)
    monkeypatch.setattr(torch, "get_autocast_dtype", lambda device: autocast)
    monkeypatch.setattr(fused, "_cuda_runs_bfloat16", lambda: kernels)
    assert fused._kind_on(torch.device("cuda")) == kind
    assert fused._kind_on(torch.device("cpu")) is None
