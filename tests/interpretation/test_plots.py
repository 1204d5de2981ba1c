import io
import re
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise

import pytest
import torch
from matplotlib.colors import to_hex

from seq2seq.interpretation.gates import order_by_peak, time_constants
from seq2seq.interpretation.plots import (
    ACCENT,
    SHARES,
    SIGNED,
    attention_figure,
    attribution_figure,
    gates_figure,
    time_constants_figure,
)
from seq2seq.interpretation.trace import CellTrace, Trace, trace

SOURCE, TARGET = ["k", "a", "t", "</s>"], ["K", "AE", "</s>"]


@pytest.fixture
def weights() -> torch.Tensor:
    return torch.rand(3, 4).softmax(-1)


def labels(ticks) -> list[str]:
    return [label.get_text() for label in ticks]


def test_pieces_are_the_tick_labels_each_at_its_row_or_column(weights):
    axes = attention_figure(weights, SOURCE, TARGET).axes[0]
    assert labels(axes.get_xticklabels()) == SOURCE
    assert labels(axes.get_yticklabels()) == TARGET
    assert axes.get_xticks().tolist() == [0, 1, 2, 3]
    assert axes.get_yticks().tolist() == [0, 1, 2]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("source", "target")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_weights_are_the_image(weights, dtype):
    image = attention_figure(weights.to(dtype), SOURCE, TARGET).axes[0].images[0]
    torch.testing.assert_close(torch.tensor(image.get_array().data), weights.to(dtype).float())
    assert image.get_clim() == (0, 1)


def test_long_pieces_are_turned(weights):
    turned, upright = (
        attention_figure(weights, source, TARGET).axes[0].get_xticklabels()[0].get_rotation()
        for source in (SOURCE, ["k", "a", "t", "s"])
    )
    assert (turned, upright) == (90, 0)


def test_colours_are_those_of_the_page():
    style = (files("seq2seq.interpretation") / "page" / "report.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--(\w+): (#\w+)", style.partition("}")[0]))
    for ramp, names in ((SHARES, ("low", "middle", "high")), (SIGNED, ("negative", "neutral", "positive"))):
        assert [to_hex(ramp(place)) for place in (0.0, 0.5, 1.0)] == [colours[name] for name in names]
    assert colours["accent"] == ACCENT


@pytest.mark.parametrize("pieces", [1, 4, 12, 40, 200])
def test_no_picture_is_wider_than_900_pixels_and_labels_leave_room_for_each_other(traced, pieces):
    source = ["ab"] * pieces
    wide = of_gates(traced, dict.fromkeys(["input", "forget", "candidate", "output"], torch.rand(1, pieces, 3)))
    for figure in (attention_figure(torch.rand(3, pieces), source, TARGET), gates_figure(wide, source)):
        assert 400 <= 100 * figure.get_figwidth() <= 900
        figure.draw_without_rendering()
        axes = figure.axes[0]
        places = [label.get_window_extent() for label in axes.get_xticklabels()]
        assert all(one.x1 <= other.x0 + 1 for one, other in pairwise(places))
        assert 1 <= len(places) <= pieces


def test_a_title_stands_above_and_a_long_one_is_cut(weights):
    assert attention_figure(weights, SOURCE, TARGET).get_suptitle() == "Attention"
    assert attention_figure(weights, SOURCE, TARGET, title="Attention: $a$").get_suptitle() == "Attention: $a$"
    long = attribution_figure(weights, SOURCE, TARGET, title="a" * 200).get_suptitle()
    assert long == "a" * 88 + " \u2026"


def test_figures_can_be_written(weights):
    page = io.BytesIO()
    attention_figure(weights, SOURCE, TARGET).savefig(page, format="png")
    assert page.getvalue().startswith(b"\x89PNG")


def test_pieces_are_shown_as_they_are(weights):
    labels_of = attention_figure(weights, ["$a$", "_", "^{", "</s>"], TARGET).axes[0]
    assert labels(labels_of.get_xticklabels()) == ["$a$", "_", "^{", "</s>"]
    assert not labels_of.get_xticklabels()[0].get_parse_math()
    attention_figure(weights, ["$^$", "_", "^{", "</s>"], ["$^$"] * 3).savefig(io.BytesIO(), format="png")


def test_shares_are_coloured_by_their_sign_on_one_scale():
    shares = torch.tensor([[0.5, -2.0, 0.0, 1.0]])
    image = attribution_figure(shares, SOURCE, ["K"]).axes[0].images[0]
    torch.testing.assert_close(torch.tensor(image.get_array().data), shares)
    assert image.get_clim() == (-2, 2)
    assert attribution_figure(torch.zeros(1, 4), SOURCE, ["K"]).axes[0].images[0].get_clim() == (-1, 1)


def test_shares_that_are_no_numbers_leave_the_scale_to_the_others():
    shares = torch.tensor([[0.5, -2.0, 0.0, 1.0], [torch.nan] * 4])
    image = attribution_figure(shares, SOURCE, ["K", "AE"]).axes[0].images[0]
    assert image.get_clim() == (-2, 2)
    assert image.get_array().mask.tolist() == [[False] * 4, [True] * 4]


@pytest.fixture
def traced(build_model) -> Trace:
    source, target = torch.tensor([[5, 6, 7, 3], [5, 3, 0, 0]]), torch.tensor([[2, 4, 5, 3]] * 2)
    return trace(build_model(), source, torch.tensor([4, 2]), target)


def of_gates(traced: Trace, gates: dict[str, torch.Tensor]) -> CellTrace:
    """The trace of a cell that has these gates in one sentence."""
    values = next(iter(gates.values()))
    lengths = torch.tensor([values.shape[1]])
    return replace(traced.cells["encoder 1 forward"], lengths=lengths, gates=gates, hidden=values, cell=values)


def test_each_gate_has_a_panel_of_units_by_pieces(traced):
    for name in ("encoder 1 forward", "encoder 2 backward"):
        cell = traced.cells[name]
        figure = gates_figure(cell, SOURCE)
        panels = figure.axes[:4]
        assert [axes.get_title() for axes in panels] == ["input", "forget", "candidate", "output"]
        assert figure.get_suptitle() == name
        for axes in panels:
            gate = axes.get_title()
            units = order_by_peak(cell)
            torch.testing.assert_close(torch.tensor(axes.images[0].get_array().data), cell.gates[gate][0].T[units])
            assert axes.get_ylabel() == "unit, by time of its peak"
            assert axes.images[0].get_clim() == ((-1, 1) if gate == "candidate" else (0, 1))
            assert labels(axes.get_xticklabels()) == SOURCE


def test_every_unit_is_in_the_histogram_of_its_cell(traced):
    constants = {name: time_constants(cell) for name, cell in traced.cells.items()}
    constants["decoder 1"] = torch.tensor([0.0, 1.0, 1000.0, float("inf")])
    figure = time_constants_figure(constants)
    assert [axes.get_title("left") for axes in figure.axes] == list(constants)
    assert {axes.get_ylabel() for axes in figure.axes} == {"units"}
    for axes, steps in zip(figure.axes, constants.values(), strict=True):
        assert sum(bar.get_height() for bar in axes.patches) == len(steps)
    assert [bar.get_height() for bar in figure.axes[-1].patches if bar.get_height()] == [1, 1, 2]


def test_units_are_in_the_order_of_their_peak_then_of_their_mean(traced):
    kept = torch.tensor([[[0.1, 0.9, 0.2, 0.1], [0.2, 0.1, 0.8, 0.3], [0.7, 0.2, 0.1, 0.9], [0.9, 0.9, 0.9, 0.9]]])
    three = replace(of_gates(traced, {"input": kept.flip(2), "forget": kept}), lengths=torch.tensor([3]))
    assert order_by_peak(three).tolist() == [1, 2, 3, 0]  # the fourth step is padding; 3 has the higher mean
