"""Laws of latches: what they keep is what their gate says, and precision is what takes it."""

import math

import pytest
import torch
from tiny_models import CELLS

from seq2seq.errors import UserError
from seq2seq.interpretation.erosion import SHORTEST, erosion, make_latch
from seq2seq.interpretation.erosion_plot import erosion_figure
from seq2seq.layers.recurrent.cells.elman import ElmanCell
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell

KEEPING = sorted(name for name, kind in CELLS.items() if kind(4, 4).keep_gate)


@pytest.mark.parametrize("name", KEEPING)
def test_a_latch_of_float64_keeps_what_its_gate_says(name):
    cell = CELLS[name](4, 4)
    make_latch(cell, 20.0)
    found = erosion(cell, "float64", [1, 5, 40], fused=False)
    assert found.left == pytest.approx(found.exact, rel=1e-9)
    assert found.spread == pytest.approx(0, abs=1e-9)
    # the first steps of a recurrent highway are several
    assert found.exact[-1] == pytest.approx(math.exp(-40 / 20 * getattr(cell, "depth", 1)), rel=1e-5)


def test_both_paths_of_float32_agree():
    for kind in (LSTMCell, GRUCell):
        cell = kind(1, 4)
        make_latch(cell, 50.0)
        one, other = (erosion(cell, "float32", [10, 50], fused=fused) for fused in (True, False))
        assert one.left == pytest.approx(other.left, rel=1e-5)
        assert (one.by, other.by) == ("kernel", "equations")


def test_a_memory_in_bfloat16_is_frozen_where_one_in_float32_fades():
    """1/1000 is less than half of what lies between neighbours in bfloat16. Equations keep an LSTM's memory apart."""
    lstm, gru = LSTMCell(1, 4), GRUCell(1, 4)
    for cell in (lstm, gru):
        make_latch(cell, 1000.0)
    faded, frozen = (erosion(cell, "bfloat16", [1000], fused=False) for cell in (lstm, gru))
    assert frozen.left[-1] > 0.95
    assert faded.left[-1] == pytest.approx(math.exp(-1), rel=0.05)


def test_more_steps_leave_less_and_marks_do_not_change_what_is_left():
    cell = LSTMCell(1, 4)
    make_latch(cell, 30.0)
    often, once = erosion(cell, "float32", [1, 2, 3, 20, 60], fused=False), erosion(cell, "float32", [60], fused=False)
    assert often.left == sorted(often.left, reverse=True)
    assert often.left[-1] == once.left[-1]


def test_the_latch_itself_stays_as_it_is():
    cell = LSTMCell(1, 4)
    make_latch(cell, 30.0)
    before = {name: value.clone() for name, value in cell.state_dict().items()}
    erosion(cell, "bfloat16", [3], fused=False)
    assert all(torch.equal(value, before[name]) for name, value in cell.state_dict().items())
    assert cell.fused


def test_a_cell_without_a_gate_that_keeps_cannot_store():
    with pytest.raises(UserError, match=r"^A latch must have a gate that keeps the memory, but this cell has none\.$"):
        make_latch(ElmanCell(1, 4), 10.0)


@pytest.mark.parametrize("steps", [0.0, -1.0, 1e-9, 0.0099, math.inf, math.nan])
def test_a_time_constant_that_no_gate_can_have_is_told(steps):
    cell = LSTMCell(1, 4)
    before = {name: value.clone() for name, value in cell.state_dict().items()}
    with pytest.raises(UserError, match=rf"^time_constant must be at least 0\.01 steps, but is {steps}\.$"):
        make_latch(cell, steps)
    assert all(torch.equal(value, before[name]) for name, value in cell.state_dict().items())


def test_the_shortest_time_constant_leaves_what_it_says():
    cell = LSTMCell(1, 4)
    make_latch(cell, SHORTEST)
    found = erosion(cell, "float64", [1, 2], fused=False)
    assert found.exact[0] == pytest.approx(math.exp(-1 / SHORTEST), rel=1e-6)
    assert found.left == pytest.approx(found.exact, rel=1e-6)


def test_a_picture_has_a_panel_for_each_cell_and_a_line_for_what_is_exact():
    cell = LSTMCell(1, 4)
    make_latch(cell, 30.0)
    rows = [erosion(cell, "float32", [1, 10], fused=fused) for fused in (True, False)]
    figure = erosion_figure({"lstm": rows, "twice": rows[:1]})
    assert [len(axes.lines) for axes in figure.axes] == [3, 2]
    assert [text.get_text() for text in figure.legends[0].texts] == ["exact", "float32, kernel", "float32, equations"]
