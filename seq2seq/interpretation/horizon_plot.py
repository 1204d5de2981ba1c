"""The picture of how far cells remember."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from seq2seq.interpretation.fonts import font_families, writable
from seq2seq.interpretation.plots import Picture, line_style, title_figure

_WIDTH = 9.0  # inches of 100 pixels


def horizon_figure(rows: Mapping[str, Mapping[int, Sequence[float]]], enough: float, *, title: str = "") -> Figure:
    """A line for each cell: the mean share of right answers, in percent, over lengths, with a point for every seed."""
    figure = Picture(figsize=(_WIDTH, 4.2), layout="constrained")
    title_figure(figure, title or "How far cells remember")
    axes = figure.add_subplot()
    for number, (name, scores) in enumerate(rows.items()):
        lengths, style = list(scores), line_style(number)
        aside = 1.015**number  # so that points of cells do not hide each other
        means = [sum(own) / len(own) for own in scores.values()]
        axes.plot([length * aside for length in lengths], means, **style, label=writable(name))
        for length, own in scores.items():
            axes.plot([length * aside] * len(own), own, "o", color=style["color"], markersize=4, alpha=0.6)
    axes.axhline(enough, color="#8b93a1", linestyle=":", linewidth=1)
    shown = sorted({length for scores in rows.values() for length in scores})
    axes.set_xscale("log")
    axes.set_xticks(shown, [str(length) for length in shown])
    axes.set_xticks([], minor=True)
    axes.set_ylim(0, 102)
    axes.set_xlabel("length, steps")
    axes.set_ylabel("right answers, %")
    axes.grid(color="#e3e6ec", linewidth=0.6)
    axes.legend(prop={"family": font_families(list(rows)), "size": "small"}, frameon=False)
    return figure
