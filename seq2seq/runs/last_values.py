"""Forecasts beside what is free: that nothing changes."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np

from seq2seq.data.examples import Example
from seq2seq.data.series import Series, Values
from seq2seq.runs.evaluation import Evaluation

logger = logging.getLogger(__name__)


def remark_on_last_values(examples: Sequence[Example], hypotheses: Sequence[str]) -> str:
    """The sentence that forecasts are no better than the last values of their series, by the MAE; else nothing.

    Features that are forecast are those of the series, or as many others, of which last values say little.
    """
    pairs = list(_errors(examples, hypotheses))
    if not sum(len(errors) for errors, _ in pairs):
        return ""
    own, last = (np.concatenate(errors).mean(dtype=np.float64) for errors in zip(*pairs, strict=True))
    if not last <= own:
        return ""
    return (
        f"The last value of each series has an MAE of {last:.4g}, the forecasts {own:.4g}: they are no better than "
        "saying that nothing changes; more steps, more series or a longer past may help."
    )


def beside_last_values(examples: Sequence[Example], evaluation: Evaluation) -> Evaluation:
    """The evaluation as it is; that its forecasts are no better than the last values of their series is warned of."""
    if remark := remark_on_last_values(examples, evaluation.hypotheses):
        logger.warning("%s", remark)
    return evaluation


def _errors(examples: Sequence[Example], hypotheses: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Absolute errors of each forecast, and of the last value that each feature had, where it had one."""
    for example, forecast in zip(examples, hypotheses, strict=True):
        past, target = example.source, example.targets[0]
        if not (isinstance(past, Series) and isinstance(target, Series) and isinstance(forecast, Series)):
            return
        future = target.values
        if future.shape[1] != past.values.shape[1] or forecast.values.shape != future.shape:
            return
        known = np.isfinite(last := _last(past.values))
        yield (
            np.abs(forecast.values - future)[:, known].ravel(),
            np.abs(last - future)[:, known].ravel(),
        )


def _last(values: Values) -> np.ndarray:
    """The last value of each feature that was observed; NaN where none was."""
    rows = np.where(np.isnan(values), -1, np.arange(len(values))[:, None]).max(0)
    return np.where(rows < 0, np.nan, values[rows, np.arange(values.shape[1])])
