"""What was copied, in traces, pictures and the page."""

import pytest
import torch

from seq2seq.interpretation.attribution import gradient_times_input, integrated_gradients, occlusion
from seq2seq.interpretation.plots import copying_figure
from seq2seq.interpretation.report import InterpretedPair, contents, report
from seq2seq.interpretation.trace import trace
from seq2seq.layers.copying import Pointer

# The source's unknown piece is the target's 13 + 1.
SOURCE, LENGTHS, TARGET = torch.tensor([[5, 12 + 1, 6, 3]]), torch.tensor([4]), torch.tensor([[2, 14, 5, 3]])


@pytest.fixture
def model(build_model):
    model = build_model(copying=Pointer).eval()
    model.copying.spell(torch.tensor([-1, -1, -1, 3, 4, 5, *[-1] * 6]))
    return model


@torch.no_grad()
def test_shares_are_those_of_the_probability(model):
    found = trace(model, SOURCE, LENGTHS, TARGET)
    assert found.features.shape == (1, 3, 6)
    copying = found.copying
    assert copying.shares[0, 0] == 1  # nothing else can say it
    weights, probabilities = found.weights[0], found.log_probabilities[0].exp()
    torch.testing.assert_close(copying.shares[0], copying.switch[0] * weights[[0, 1, 2], [1, 0, 3]] / probabilities)
    assert ((copying.switch > 0) & (copying.switch < 1)).all()
    model.copying.switch.bias.fill_(1e4)
    assert trace(model, SOURCE, LENGTHS, torch.tensor([[2, 5, 3]])).copying.shares.tolist() == [[0, 0]]


def test_a_model_that_does_not_copy_has_none(build_model):
    assert trace(build_model(), torch.tensor([[5, 6, 3]]), torch.tensor([3]), torch.tensor([[2, 4, 3]])).copying is None


def test_the_page_and_a_picture_show_it(model):
    pieces = ["Ω", "a", "</s>"]
    attributions = [method(model, SOURCE, TARGET) for method in (occlusion, gradient_times_input)]
    found = trace(model, SOURCE, LENGTHS, TARGET)
    reading = InterpretedPair("Ω b", "Ω a", "run", False, ["a", "Ω", "b", "</s>"], pieces, found, attributions)
    data = contents(reading, units=2)
    assert data["copied"] == pytest.approx(found.copying.shares[0].tolist(), abs=1e-3)
    assert data["copying"] == pytest.approx(found.copying.switch[0].tolist(), abs=1e-3)
    assert "copied`" in report(reading)
    (axes,) = copying_figure(found.copying, pieces, title="Ω").axes
    assert [bar.get_height() for bar in axes.patches] == pytest.approx(found.copying.shares[0].tolist())
    assert [label.get_text() for label in axes.get_xticklabels()] == pieces
    assert axes.lines[0].get_ydata()[:3] == pytest.approx(found.copying.switch[0].tolist())


def test_integrated_gradients_sum_up(model):
    found = integrated_gradients(model, SOURCE, TARGET, steps=64)
    assert found.delta.abs().max() < 1e-2
