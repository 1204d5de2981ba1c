"""The picture of quality and latency."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from seq2seq.interpretation.plots import ACCENT, Picture
from seq2seq.metrics.units import with_unit


def latency_figure(
    lags: Sequence[float], scores: Mapping[str, Sequence[float]], names: Sequence[str], *, offline: Mapping[str, float]
) -> Figure:
    """Curves of every score over average lagging, a point for each policy; dashed, what comes of whole sources."""
    figure = Picture(figsize=(6.4, 3.2 * len(scores)), layout="constrained")
    rows = figure.subplots(len(scores), 1, sharex=True, squeeze=False)[:, 0]
    order = sorted(range(len(lags)), key=lags.__getitem__)
    for axes, (metric, values) in zip(rows, scores.items(), strict=True):
        axes.plot([lags[i] for i in order], [values[i] for i in order], color=ACCENT, marker="o", markersize=4)
        for lag, value, name in zip(lags, values, names, strict=True):
            axes.annotate(name, (lag, value), textcoords="offset points", xytext=(5, 5), fontsize="small")
        axes.axhline(offline[metric], color="#8b93a1", linestyle="--", linewidth=1, label="the whole source first")
        axes.set_ylabel(with_unit(metric, metric))
        axes.grid(color="#e3e6ec", linewidth=0.6)
        axes.legend(fontsize="small")
    rows[-1].set_xlabel("average lagging, units of the source")
    return figure
