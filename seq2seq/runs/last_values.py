"""Forecasts beside what is free: that nothing changes."""

import logging
from collections.abc import Sequence

import numpy as np

from seq2seq.data.examples import Example
from seq2seq.data.series import Series, Values
from seq2seq.runs.evaluation import Evaluation

logger = logging.getLogger(__name__)


def remark_on_last_values(examples: Sequence[Example], hypotheses: Sequence[str]) -> str:
    """The sentence that forecasts are no better than the last values of their series, by the MAE; else nothing.

    Features that are forecast are those of the series, or as many others, of which last values say little. Nothing is
    said unless it can be of all examples.
    """
    pairs = [_errors(*pair) for pair in zip(examples, hypotheses, strict=True)]
    errors = [pair for pair in pairs if pair is not None]
    if len(errors) < len(pairs) or not sum(len(own) for own, _ in errors):
        return ""
    own, last = (np.concatenate(side).mean(dtype=np.float64) for side in zip(*errors, strict=True))
    if not last <= own:
        return ""
    return (
        f"The last value of each series has an MAE of {last:.4g}, the forecasts {own:.4g}: they are no better than "
        "saying that nothing changes; more steps, more series or a longer past may help."
    )


def warn_of_last_values(examples: Sequence[Example], evaluation: Evaluation) -> None:
    """Warn where the forecasts of an evaluation are no better than the last values of their series."""
    if remark := remark_on_last_values(examples, evaluation.hypotheses):
        logger.warning("%s", remark)


def _errors(example: Example, forecast: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Absolute errors of a forecast, and of the last value that each feature had, where both can be told.

    None where it is no forecast of the features of its series.
    """
    past, target = example.source, example.targets[0]
    if not (isinstance(past, Series) and isinstance(target, Series) and isinstance(forecast, Series)):
        return None
    future = target.values
    if future.shape[1] != past.values.shape[1] or forecast.values.shape != future.shape:
        return None
    last = _last(past.values)
    known = np.isfinite(last) & np.isfinite(future)
    return np.abs(forecast.values - future)[known], np.abs(last - future)[known]


def _last(values: Values) -> np.ndarray:
    """The last value of each feature that was observed; NaN where none was."""
    rows = np.where(np.isnan(values), -1, np.arange(len(values))[:, None]).max(0)
    return np.where(rows < 0, np.nan, values[rows, np.arange(values.shape[1])])
