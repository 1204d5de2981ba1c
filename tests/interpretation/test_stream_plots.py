import re

import pytest
import torch
from omegaconf import OmegaConf

from seq2seq.config.places import CONF
from seq2seq.errors import UserError
from seq2seq.interpretation.stream_plots import marks_figure, stream_figure
from seq2seq.interpretation.stream_reader import Mark, StreamReader
from seq2seq.interpretation.stream_report import check_finite, stream_figures, stream_report
from seq2seq.layers.recurrent.cells.elman import ElmanCell


def read(encoder, tokens=900, resets=0, marks=(400, 650)) -> StreamReader:
    reader, last = StreamReader(encoder), 0
    every = tokens // (resets + 1)
    with reader.reading():
        for place in sorted({*range(every, tokens, every), *marks, tokens}):
            ids = [4 + (number * number) % 7 for number in range(last, place)]
            list(reader.read(ids, [f"<{index}>" for index in ids]))
            if place in marks:
                reader.mark(f"& at {place}", 3)
            elif place != tokens and resets:
                reader.reset()
            last = place
        reader.end()
    return reader


def reds(axes):
    return [line.get_xdata()[0] for line in axes.lines if line.get_color() == "#b5382a"]


def greys(axes):
    return [line.get_xdata()[0] for line in axes.lines if line.get_color() == "#8a94a6"]


def test_a_panel_for_each_gate_one_for_the_size_and_one_for_units(build_model):
    reader = read(build_model(direction="forward").encoder, resets=2)
    figure = stream_figure(reader.cells[0], reader, title="a $b$")
    panels = [axes for axes in figure.axes if axes.get_ylabel()]
    names = [axes.get_ylabel() for axes in panels]
    assert names[:5] == ["input", "forget", "candidate", "output", "norm of\nthe memory"]
    assert names[5].startswith("memory of units")
    assert all(reds(axes) == [400, 650] for axes in panels)
    assert all(len(greys(axes)) == 2 for axes in panels)
    assert figure.get_figwidth() * 100 == 900
    assert panels[0].get_xlim() == (0, 900)


def test_many_resets_are_counted_and_not_drawn_one_by_one(build_model):
    reader = read(build_model(direction="forward").encoder, resets=60, marks=())
    figure = stream_figure(reader.cells[1], reader)
    names = [axes.get_ylabel() for axes in figure.axes]
    assert "resets" in names
    assert not any(greys(axes) for axes in figure.axes)
    counted = figure.axes[names.index("resets")].patches[0].get_data().values
    assert counted.sum() == reader.resets.total > 40


def test_units_are_in_the_order_of_how_long_they_keep(build_model):
    model = build_model(direction="forward", encoder_layers=1)
    gate = model.encoder.stack.layers[0].forwards.gates["forget"]
    gate.input.zero_()
    gate.recurrent.zero_()
    gate.set_bias(torch.tensor([0.0, 3.0, -1.0, 1.0]))
    reader = read(model.encoder)
    (cell,) = reader.cells
    figure = stream_figure(cell, reader)
    mesh = next(axes.collections[0] for axes in figure.axes if axes.get_ylabel().startswith("memory of units"))
    expected = (cell.memory.means - cell.memory.mean)[:, [1, 3, 0, 2]].T
    torch.testing.assert_close(torch.as_tensor(mesh.get_array().data), expected)


def test_marks_show_tokens_and_units(build_model):
    marks = read(build_model(direction="forward").encoder).marks
    figure = marks_figure([*marks, Mark("bare", 700)])
    first = figure.axes[0]
    assert first.get_title("left") == "& at 400, behind token 400"
    assert [label.get_text() for label in first.get_xticklabels()] == list(marks[0].pieces)
    assert len(first.get_yticklabels()) == 3
    assert sum(bool(axes.images) for axes in figure.axes) == 2


@pytest.mark.parametrize("options", [{"direction": "forward"}, {"block_size": 4, "halvings": 1}], ids=str)
def test_the_page_has_every_picture_and_nothing_from_elsewhere(build_model, options):
    reader = read(build_model(**options).encoder, tokens=700)
    figures = stream_figures(reader, title="<a>")
    assert len(figures) == len(reader.cells) + 2
    page = stream_report(reader, figures, title="<a>", run="runs/1", units=5)
    assert page.count("data:image/png;base64,") == len(figures)
    assert "&lt;a&gt;" in page
    assert "&amp; at 400" in page
    assert "<a>" not in page
    assert "{{" not in page
    assert not any(part in page for part in ("http:", "https:", "<script"))


def test_cells_that_keep_nothing_have_no_time_constants(build_model):
    reader = read(build_model(direction="forward", cell=ElmanCell).encoder, marks=())
    figures = stream_figures(reader, title="a")
    assert list(figures) == ["stream encoder 1 forward", "stream encoder 2 forward"]
    page = stream_report(reader, figures, title="a", run="b", units=5)
    assert "<td>–</td><td>–</td><td>–</td>" in page


def test_what_is_not_finite_is_told(build_model):
    reader = read(build_model(direction="forward").encoder)
    check_finite(reader)
    reader.cells[1].norm.sums[3] = torch.nan
    with pytest.raises(
        UserError, match=r"^Activations of encoder 2 forward are not finite: train the run again"
    ) as told:
        check_finite(reader)
    named = set(re.findall(r"(\w+)=", str(told.value)))
    assert named == {"renew"} <= set(OmegaConf.load(CONF / "interpret.yaml"))
