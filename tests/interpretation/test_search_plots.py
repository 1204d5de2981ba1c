"""Axes of scores say their units."""

import pytest

from seq2seq.interpretation.latency_plot import latency_figure
from seq2seq.interpretation.search_plots import history_figure

NAMED = [("wer", "wer, %"), ("mae", "mae"), ("perplexity", "perplexity")]


@pytest.mark.parametrize(("metric", "named"), NAMED)
def test_of_a_search(metric, named):
    (axes,) = history_figure([(0, 2.0), (1, 1.0)], metric, higher=False).axes
    assert axes.get_ylabel() == f"dev {named}"
    assert axes.lines[1].get_ydata().tolist() == [2.0, 1.0]


@pytest.mark.parametrize(("metric", "named"), NAMED)
def test_of_latency(metric, named):
    (axes,) = latency_figure([1.0], {metric: [2.0]}, ["wait"], offline={metric: 3.0}).axes
    assert axes.get_ylabel() == named
