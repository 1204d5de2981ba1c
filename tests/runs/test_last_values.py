"""Forecasts that are no better than the last value are told so."""

import numpy as np
import pytest

from seq2seq.data.examples import Example
from seq2seq.data.series import ForecastSeries, Series
from seq2seq.runs.evaluation import evaluate
from seq2seq.runs.last_values import beside_last_values, remark_on_last_values

PAST, FUTURE = np.array([[1.0, 5], [2, np.nan]]), np.array([[2.0, 5], [3, 7]])


def told(forecast, past=PAST, future=FUTURE):
    example = Example(Series(past), (Series(future),))
    return remark_on_last_values([example] * 2, [ForecastSeries(np.array(forecast, np.float32))] * 2)


def test_forecasts_worse_than_the_last_values_are_told_with_both_errors(caplog):
    assert told(FUTURE + 1) == (
        "The last value of each series has an MAE of 0.75, the forecasts 1: they are no better than saying that "
        "nothing changes; more steps, more series or a longer past may help."
    )
    examples = [Example(Series(PAST), (Series(FUTURE),))]
    found = evaluate(lambda sources: [ForecastSeries(FUTURE.astype(np.float32) + 1)], examples, {})
    assert beside_last_values(examples, found) is found
    assert caplog.messages == [told(FUTURE + 1)]


@pytest.mark.parametrize(
    ("forecast", "past", "future"),
    [
        (FUTURE + 0.5, PAST, FUTURE),
        (FUTURE + 9, PAST[:, :1], FUTURE),  # other features
        (FUTURE[:1] + 9, PAST, FUTURE),
        (FUTURE + 9, np.full((2, 2), np.nan), FUTURE),
    ],
)
def test_others_are_not(forecast, past, future):
    assert told(forecast, past, future) == ""


def test_texts_and_labels_are_not():
    assert remark_on_last_values([Example("a", ("b",))], ["c"]) == ""
    assert remark_on_last_values([Example(Series(PAST), ("up",))], ["down"]) == ""
    assert remark_on_last_values([], []) == ""
