from io import BytesIO

import pytest

from seq2seq.interpretation.choices_plot import ChoicePoint, choices_figure
from seq2seq.interpretation.flow_plot import flow_figure
from seq2seq.interpretation.fonts import writable
from seq2seq.interpretation.gradient_flow import Flow

ALIKE = [ChoicePoint("gru", 30.0, 2.0, 1000, 1.0), ChoicePoint("lstm", 40.0, 3.0, 1010, 2.0)]
GROWN = [ALIKE[0], ALIKE[1]._replace(parameters=2000)]
ALONG = [one._replace(along=size, score=one.score + size) for size in (10, 100) for one in ALIKE]


def test_rows_are_by_score_and_beside_them_the_cost_that_differs():
    figure = choices_figure(ALIKE, "dev wer", along=None, title="two")
    scores, costs = figure.axes
    assert [label.get_text() for label in scores.get_yticklabels()] == ["gru  2", "lstm  1"]
    assert [text.get_text() for text in costs.texts] == ["2", "1"]
    assert costs.get_xlabel() == "minutes of training, per seed"
    assert choices_figure(GROWN, "dev wer", along=None, title="").axes[1].get_xlabel() == "thousands of parameters"
    assert scores.containers[0].has_xerr
    alone = choices_figure([one._replace(half_width=None) for one in ALIKE], "dev wer", along=None, title="two")
    assert not alone.axes[0].containers[0].has_xerr


def test_curves_are_along_what_was_varied():
    figure = choices_figure(ALONG, "dev wer", along="data.train_size", title="two")
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    curves = dict(zip(names, (container.lines[0] for container in axes.containers), strict=True))
    assert list(curves["gru"].get_xdata()) == [10.0, 100.0]
    assert list(curves["lstm"].get_ydata()) == [50.0, 140.0]


def test_values_that_are_no_numbers_are_in_their_order():
    named = [one._replace(along=name) for name in ("some.tsv", "more.tsv") for one in ALIKE]
    (axes,) = choices_figure(named, "dev wer", along="data.train", title="").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["some.tsv", "more.tsv"]
    assert list(axes.containers[0].lines[0].get_xdata()) == [0, 1]


@pytest.mark.parametrize(
    "name", [r"tokenizer.protect=\$\w+\$|$\frac$", "_plain", "data.train=\u65e5\u672c.tsv", "a$b$c"]
)
def test_names_are_written_as_they_are_whatever_they_hold(name):
    """Matplotlib reads formulas between dollars, and leaves names out of legends that begin with _."""
    points = [one._replace(name=name) if one.name == "gru" else one for one in ALONG]
    along = choices_figure(points, "dev wer", along=name, title=name)
    named = choices_figure([one._replace(along=name) for one in points[:2]], "dev wer", along=name, title=name)
    rows = choices_figure(points[:2], "dev wer", along=None, title=name)
    flows = flow_figure(
        {
            name: {"whole": Flow("readout", "whole", [1.0, 0.5], None)},
            "other": {"whole": Flow("readout", "whole", [1.0, 0.1], None)},
        },
        title=name,
    )
    for figure in (along, named, rows, flows):
        figure.savefig(BytesIO(), format="png")
    assert [text.get_text().strip() for text in along.axes[0].get_legend().get_texts()] == [writable(name), "lstm"]
    assert [text.get_text().strip() for text in flows.legends[0].get_texts()] == [writable(name), "other"]
