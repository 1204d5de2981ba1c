"""Laws of time constants over many sentences."""

import math

import pytest
import torch
from matplotlib.patches import Rectangle

from seq2seq.interpretation.gates import time_constants
from seq2seq.interpretation.memory_spans import MemorySpan, MemorySpans
from seq2seq.interpretation.span_plot import spans_figure
from seq2seq.interpretation.trace import named_cells, trace
from seq2seq.layers.recurrent.cells.elman import ElmanCell


@pytest.fixture
def model(build_model, any_decoder):
    return build_model(decoder=any_decoder, decoder_layers=2)


def spans(model, *batches):
    found = MemorySpans(model)
    for batch in batches:
        found.add(*batch)
    return found.spans()


def test_a_gate_that_stands_still_has_one_constant(model, pairs):
    for cell in named_cells(model).values():
        for weight in cell.parameters():
            torch.nn.init.zeros_(weight)
        cell.gates["forget"].set_bias(2.0)
    expected = -1 / math.log(torch.tensor(2.0).sigmoid().item())
    for span in spans(model, pairs).values():
        for values in (span.of_mean, span.of_product):
            assert values.tolist() == pytest.approx([expected] * len(values), rel=1e-5)


def test_the_product_never_lasts_longer_and_shows_what_the_mean_hides(model, pairs):
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    for span in spans(model, pairs).values():
        assert bool((span.of_product <= span.of_mean * (1 + 1e-9)).all())
        assert bool((span.of_product < 0.99 * span.of_mean).any())


def test_neighbours_and_batches_change_nothing(model, pairs):
    source, lengths, target = pairs
    apart = []
    for row in range(len(source)):
        own, width = slice(row, row + 1), int((target[row] != 0).sum())
        apart.append((source[own, : lengths[row]], lengths[own], target[own, :width]))
    together, found = spans(model, pairs), spans(model, *reversed(apart))
    for name, span in together.items():
        assert (span.steps, span.sentences) == (found[name].steps, found[name].sentences)
        torch.testing.assert_close(span.of_product, found[name].of_product, rtol=1e-5, atol=0)


def test_the_mean_is_that_of_a_trace(model, pairs):
    cells = trace(model, *pairs).cells
    for name, span in spans(model, pairs).items():
        torch.testing.assert_close(span.of_mean.float(), time_constants(cells[name]), rtol=1e-4, atol=1e-5)
        assert span.steps == int(cells[name].mask.sum())


def test_cells_without_the_gate_are_left_out(build_model, pairs):
    assert spans(build_model(cell=ElmanCell), pairs) == {}


def test_units_that_keep_nothing_are_in_the_first_bar():
    nothing = MemorySpan(3, 1, torch.zeros(4), torch.zeros(4))
    (axes,) = spans_figure({"encoder 1 forward": nothing}).axes
    bars = [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)]
    assert bars == [4] + [0] * (len(bars) - 1)


def test_histograms_hold_all_units_on_one_scale(model, pairs):
    found = spans(model, pairs)
    figure = spans_figure(found)
    assert len(figure.axes) == len(found)
    for axes, span in zip(figure.axes, found.values(), strict=True):
        assert axes.get_xscale() == "log"
        bars = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
        assert sum(bar.get_height() for bar in bars) == len(span.of_product)
