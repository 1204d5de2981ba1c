"""The picture of choices that were trained alike."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seq2seq.interpretation.fonts import font_families, writable
from seq2seq.interpretation.plots import ACCENT, Picture, as_written, title_figure, write_legend

_WIDTH, _ROW, _LEAST = 9.0, 0.3, 1.6  # inches of 100 pixels
_BAR: dict[str, Any] = {"capsize": 2.5, "elinewidth": 1.0, "markersize": 4.5}
_MARKS = "osD^vP*Xhd<>"


class ChoicePoint(NamedTuple):
    """Dev score of a choice, how far its 95 % interval goes to either side, and what it took."""

    name: str
    score: float
    half_width: float | None
    parameters: int
    minutes: float
    along: Any = None


def choices_figure(points: Sequence[ChoicePoint], metric: str, *, along: str | None, title: str) -> Figure:
    """Scores of choices with 95 % intervals over seeds.

    Curves along an option where one was varied; else a row for each choice, the highest score on top, and beside it
    the scores by the minutes that training took, or by parameters where these are not alike.
    """
    figure = _curves(points, metric, along) if along is not None else _rows(points, metric)
    title_figure(figure, title)
    return figure


def _rows(points: Sequence[ChoicePoint], metric: str) -> Figure:
    figure = Picture(figsize=(_WIDTH, _LEAST + _ROW * len(points)), layout="constrained")
    scores, costs = figure.subplots(1, 2, width_ratios=(3, 2))
    ordered = sorted(points, key=lambda point: point.score)
    numbers = range(len(ordered), 0, -1)  # of the names, as there is no room for these among the points
    cost, name = _cost(points)
    for place, (number, point) in enumerate(zip(numbers, ordered, strict=True)):
        at = cost(point), point.score
        scores.errorbar(point.score, place, xerr=point.half_width, fmt="o", color=ACCENT, **_BAR)
        costs.errorbar(*at, yerr=point.half_width, fmt="o", color=ACCENT, **_BAR)
        costs.annotate(str(number), at, xytext=(4, 3), textcoords="offset points", fontsize="small")
    labels = [f"{writable(point.name)}  {number}" for number, point in zip(numbers, ordered, strict=True)]
    scores.set_yticks(range(len(ordered)), labels, **as_written(labels))
    scores.set_xlabel(metric)
    for axes in (scores, costs):
        axes.grid(color="#e3e6ec", linewidth=0.6)
    costs.set_xlabel(name)
    costs.set_ylabel(metric)
    costs.margins(x=0.1)
    return figure


def _cost(points: Sequence[ChoicePoint]) -> tuple[Callable[[ChoicePoint], float], str]:
    """Cost that differs: parameters where these do by a fifth or more, else minutes."""
    counts = [point.parameters for point in points]
    if max(counts) > 1.2 * min(counts):
        return lambda point: point.parameters / 1e3, "thousands of parameters"
    return lambda point: point.minutes, "minutes of training, per seed"


def _curves(points: Sequence[ChoicePoint], metric: str, along: str) -> Figure:
    figure = Picture(figsize=(_WIDTH, 4.5), layout="constrained")
    axes = figure.add_subplot()
    place, lines = _scale(axes, list(dict.fromkeys(point.along for point in points))), {}
    for number, name in enumerate(dict.fromkeys(point.name for point in points)):
        own = [point for point in points if point.name == name]
        lines[name] = axes.errorbar(
            [place(point.along) for point in own],
            [point.score for point in own],
            yerr=None if own[0].half_width is None else [point.half_width or 0.0 for point in own],
            marker=_MARKS[number % len(_MARKS)],
            **_BAR,
        )
    axes.set_xlabel(writable(along), parse_math=False, fontfamily=font_families([along]))
    axes.set_ylabel(metric)
    axes.grid(color="#e3e6ec", linewidth=0.6)
    write_legend(axes, lines)
    return figure


def _scale(axes: Axes, values: Sequence[Any]) -> Callable[[Any], float]:
    """Prepare the axis of the values, and return the place of each: numbers by their logarithm, others in order."""
    if all(type(value) in (int, float) and value > 0 for value in values):
        axes.set_xscale("log")
        axes.set_xticks(values, [f"{value:,}" for value in values])
        axes.set_xticks([], minor=True)
        return float
    shown = [writable(str(value)) for value in values]
    axes.set_xticks(range(len(values)), shown, **as_written(shown))
    return values.index
