"""Pictures of forecasts."""

import numpy as np
from matplotlib.figure import Figure

from seq2seq.errors import UserError

_MOST = 8  # features that are drawn


def forecast_figure(
    past: np.ndarray,
    means: np.ndarray,
    interval: tuple[np.ndarray, np.ndarray] | None = None,
    truth: np.ndarray | None = None,
) -> Figure:
    """A figure with a row for each of the first eight features that are forecast.

    Arrays are `time feature`, or `time` of one. Where past has as many features as means, each is drawn before its own.
    What came may be of another length than the forecast. Raises UserError where it is of other features.
    """
    past, means = _columns(past), _columns(means)
    came = None if truth is None else _columns(truth)
    if came is not None and came.shape[1] != means.shape[1]:
        raise UserError(f"truth must have {means.shape[1]} features, as the forecast, but has {came.shape[1]}.")
    count = min(means.shape[1], _MOST)
    figure = Figure(figsize=(7, 1.2 + 1.6 * count), layout="constrained")
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    ahead = np.arange(1, len(means) + 1)
    for feature, plot in enumerate(axes):
        if past.shape[1] == means.shape[1]:
            plot.plot(np.arange(1 - len(past), 1), past[:, feature], color="0.3", linewidth=1.2, label="read")
        if came is not None:
            steps = np.arange(1, len(came) + 1)
            plot.plot(steps, came[:, feature], color="0.3", linewidth=1.2, linestyle=":", label="came")
        plot.plot(ahead, means[:, feature], color="tab:blue", linewidth=1.5, label="forecast")
        if interval is not None:
            low, high = (_columns(end)[:, feature] for end in interval)
            plot.fill_between(ahead, low, high, color="tab:blue", alpha=0.2, linewidth=0, label="90 %")
        plot.axvline(0.5, color="0.7", linewidth=0.8)
    axes[-1].set_xlabel("frames")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", fontsize="small", frameon=False, ncols=4)
    return figure


def _columns(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    return values[:, None] if values.ndim == 1 else values
