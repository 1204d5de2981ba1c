"""Forecasts that are no better than the last value are told so."""

import numpy as np
import pytest

from seq2seq.data.examples import Example
from seq2seq.data.series import ForecastSeries, Series
from seq2seq.runs.evaluation import evaluate
from seq2seq.runs.last_values import remark_on_last_values, warn_of_last_values

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
    warn_of_last_values(examples, found)
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


@pytest.mark.parametrize(("hidden", "last"), [((0, 0), "1"), ((1, 0), "0.6667"), ((1, 1), "0.3333")])
def test_values_to_come_that_are_missing_are_left_out_and_the_others_are_told(hidden, last):
    future = FUTURE.copy()
    future[hidden] = np.nan
    assert told(FUTURE + 1, future=future).startswith(
        f"The last value of each series has an MAE of {last}, the forecasts 1: "
    )
    assert told(FUTURE + 1, future=np.full((2, 2), np.nan)) == ""


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("odd", ["label", "features", "length"])
def test_where_one_example_does_not_fit_nothing_is_said_of_the_others(place, odd):
    examples = [Example(Series(PAST), (Series(FUTURE),))] * 2
    forecasts = [ForecastSeries((FUTURE + 9).astype(np.float32))] * 2
    assert remark_on_last_values(examples, forecasts)
    past, wrong = {
        "label": (PAST, "down"),
        "features": (PAST[:, :1], ForecastSeries((FUTURE + 9).astype(np.float32))),
        "length": (PAST, ForecastSeries(FUTURE[:1].astype(np.float32))),
    }[odd]
    examples.insert(place, Example(Series(past), ("up" if odd == "label" else Series(FUTURE),)))
    forecasts.insert(place, wrong)
    assert remark_on_last_values(examples, forecasts) == ""
