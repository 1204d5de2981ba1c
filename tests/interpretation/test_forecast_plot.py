"""Pictures of forecasts show what was read, what is forecast, and how sure that is."""

import numpy as np
import pytest

from seq2seq.interpretation.forecast_plot import forecast_figure


def labels(figure) -> list[list[str]]:
    return [
        [line.get_label() for line in axes.get_lines() if not line.get_label().startswith("_")] for axes in figure.axes
    ]


@pytest.mark.parametrize("features", [1, 3, 9])
def test_each_feature_has_a_row_up_to_eight(features):
    means = np.ones((4, features))
    figure = forecast_figure(np.zeros((6, features)), means, (means - 1, means + 1), means)
    assert labels(figure) == [["read", "came", "forecast"]] * min(features, 8)
    assert all(len(axes.collections) == 1 for axes in figure.axes)  # the interval


def test_what_is_not_there_is_not_drawn():
    figure = forecast_figure(np.zeros((6, 2)), np.ones(4))
    assert labels(figure) == [["forecast"]]  # what was read has other features
    (axes,) = figure.axes
    assert not axes.collections
    (line,) = [line for line in axes.get_lines() if line.get_label() == "forecast"]
    assert line.get_xdata().tolist() == [1, 2, 3, 4]
