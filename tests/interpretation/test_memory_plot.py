"""The picture of a memory, and the numbers behind it."""

from functools import partial

import pytest
import torch
from tiny_models import CELLS

from seq2seq.interpretation.memory_plot import memory_figure
from seq2seq.interpretation.trace import trace
from seq2seq.models.bridge import StateBridge
from seq2seq.symbols import BOS, EOS

SOURCE, TARGET = [5, 6, 7, 8, EOS], [BOS, 5, 6, EOS]


@pytest.fixture
def found(build_model):
    cell = partial(CELLS["stack"], depth=9)
    sizes = {"encoder_size": 8, "encoder_layers": 1, "decoder_layers": 1, "direction": "forward"}
    model = build_model(cell=cell, bridge=StateBridge, attention="none", **sizes)
    return trace(model, torch.tensor([SOURCE]), torch.tensor([5]), torch.tensor([TARGET]))


def test_what_is_held_is_what_was_pushed_and_not_popped_and_goes_on_in_the_decoder(found):
    held = 0.0
    for cell in found.cells.values():
        for step in range(int(cell.lengths[0])):
            push, pop = (float(cell.gates[name][0, step, 0]) for name in ("push", "pop"))
            held = max(0.0, held - pop) + push
            assert float(cell.filled[0, step]) == pytest.approx(held, abs=1e-5)


def test_bars_and_line_are_those_numbers(found):
    cells = [(cell, ["a"] * int(cell.lengths[0])) for cell in found.cells.values()]
    panels = memory_figure(cells, title="T").axes
    assert len(panels) == 2
    for axes, (cell, pieces) in zip(panels, cells, strict=True):
        heights = torch.tensor([float(bar.get_height()) for bar in axes.patches])
        expected = torch.cat([cell.gates["push"][0, :, 0], -cell.gates["pop"][0, :, 0]])
        torch.testing.assert_close(heights, expected)
        torch.testing.assert_close(torch.as_tensor(axes.lines[0].get_ydata()).float(), cell.filled[0])
        assert [label.get_text() for label in axes.get_xticklabels()] == pieces


def test_a_mixture_has_no_number_of_values(build_model):
    model = build_model(cell=CELLS["superposition"])
    cells = trace(model, torch.tensor([SOURCE]), torch.tensor([5]), torch.tensor([TARGET])).cells
    assert all(cell.filled is None for cell in cells.values())
    memory_figure([(cell, ["a"] * int(cell.lengths[0])) for cell in cells.values()])
