"""Figures of a search for settings."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seq2seq.interpretation.plots import ACCENT, Picture
from seq2seq.metrics.units import with_unit

_WIDTH = 9.0  # inches of 100 pixels


def history_figure(scores: Sequence[tuple[int, float]], metric: str, *, higher: bool) -> Figure:
    """A point for the score of each trial, and a line of the best so far."""
    figure = Picture(figsize=(_WIDTH, 4.5), layout="constrained")
    axes = figure.add_subplot()
    numbers, values = [number for number, _ in scores], [value for _, value in scores]
    axes.plot(numbers, values, "o", color="#8a94a6", label="trial")
    axes.step(
        numbers, list(accumulate(values, max if higher else min)), where="post", color=ACCENT, label="best so far"
    )
    axes.set_xlabel("trial; 0 is the settings as they are")
    axes.set_ylabel(with_unit(f"dev {metric}", metric))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure


def importance_figure(importances: Mapping[str, float], metric: str) -> Figure:
    """A bar for the share of each option in how the scores of trials differ, the largest on top."""
    figure = Picture(figsize=(_WIDTH, 1.0 + 0.4 * len(importances)), layout="constrained")
    axes = figure.add_subplot()
    names = sorted(importances, key=lambda name: importances[name])
    axes.barh(names, [importances[name] for name in names], color=ACCENT)
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"share in how dev {metric} of trials differs (PED-ANOVA)")
    return figure
