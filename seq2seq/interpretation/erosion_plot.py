"""The picture of what precision leaves of stored values."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seq2seq.interpretation.erosion import Erosion
from seq2seq.interpretation.fonts import font_families, writable
from seq2seq.interpretation.plots import Picture, line_style, title_figure

_WIDE, _HIGH = 4.2, 3.4
_STYLES = {"kernel": "-", "equations": "--"}


def erosion_figure(found: Mapping[str, Sequence[Erosion]], *, title: str = "") -> Figure:
    """A panel for each cell: the share that is left over the steps, a colour for each precision.

    Solid lines are of the fastest path, dashed ones of the equations step by step; the wide grey line is exact.
    """
    figure = Picture(figsize=(max(6.0, 0.8 + _WIDE * len(found)), 1.0 + _HIGH), layout="constrained")
    title_figure(figure, title or "What precision leaves")
    names = list(dict.fromkeys(one.precision for rows in found.values() for one in rows))
    colours = {name: line_style(number)["color"] for number, name in enumerate(names)}
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for axes, (cell, rows) in zip(panels, found.items(), strict=True):
        _draw(axes, rows, colours)
        axes.set_title(writable(cell), loc="left", fontsize="medium", fontfamily=font_families([cell]))
    panels[0].set_ylabel("share that is left")
    handles = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles, loc="outside lower center", ncols=4, fontsize="small", frameon=False
    )  # fmt: skip
    return figure


def _draw(axes: Axes, rows: Sequence[Erosion], colours: Mapping[str, str]) -> None:
    axes.plot(rows[0].steps, rows[0].exact, color="#c5cad3", linewidth=5, label="exact")
    for row in rows:
        label = f"{row.precision}, {row.by}"
        axes.plot(row.steps, row.left, _STYLES[row.by], color=colours[row.precision], linewidth=1.4, label=label)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("steps")
    axes.grid(color="#e3e6ec", linewidth=0.6)
