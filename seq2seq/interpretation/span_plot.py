"""The picture of time constants."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from seq2seq.interpretation.memory_spans import MemorySpan
from seq2seq.interpretation.plots import ACCENT, Picture, title_figure

_WIDTH, _PANEL, _BINS = 9.0, 1.5, 25
_SHORTEST, _LONGEST = 1e-2, 1e4  # steps that are told apart
_OTHER = "#b5382a"


def spans_figure(spans: Mapping[str, MemorySpan], *, title: str = "") -> Figure:
    """A histogram of units over their time constants for each cell, on one scale of powers of ten.

    Bars are of the product of gates, the line of their mean; the dotted line is the mean length of a sentence in steps.
    """
    figure = Picture(figsize=(_WIDTH, 1.3 + _PANEL * len(spans)), layout="constrained")
    title_figure(figure, title or "Time constants")
    panels = figure.subplots(len(spans), 1, sharex=True, squeeze=False)[:, 0]
    constants = [values.clamp(max=_LONGEST).numpy() for s in spans.values() for values in (s.of_product, s.of_mean)]
    low, high = min(map(np.min, constants)), max(map(np.max, constants))
    edges = np.geomspace(max(low, _SHORTEST) * 0.95, max(high, _SHORTEST) * 1.05, _BINS + 1)
    for axes, (name, span) in zip(panels, spans.items(), strict=True):
        _draw(axes, span, edges)
        axes.set_title(name, loc="left", fontsize="medium")
    panels[-1].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))  # numbers, and no powers of ten
    panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[-1].xaxis.set_minor_formatter(NullFormatter())
    panels[-1].set_xlabel("steps until 1/e of the memory is left")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small", frameon=False)
    return figure


def _draw(axes: Axes, span: MemorySpan, edges: np.ndarray) -> None:
    product, mean = (values.clamp(max=_LONGEST).numpy() for values in (span.of_product, span.of_mean))
    axes.hist(product.clip(edges[0]), bins=list(edges), color="#9dbbe3", label="product of gates")
    axes.hist(mean.clip(edges[0]), bins=list(edges), histtype="step", color=ACCENT, label="mean of gates")
    axes.axvline(
        span.steps / span.sentences, color=_OTHER, linestyle=":", linewidth=1.2, label="mean length of a sentence"
    )
    axes.set_xscale("log")
    axes.set_ylabel("units")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
