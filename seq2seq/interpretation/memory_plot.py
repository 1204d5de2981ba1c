"""The picture of what a cell pushes and pops, and of how much its memory then holds."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seq2seq.interpretation.plots import ACCENT, Picture, label_columns, title_figure
from seq2seq.interpretation.trace import CellTrace

_LOST = "#b5382a"


def memory_figure(cells: Sequence[tuple[CellTrace, Sequence[str]]], *, title: str = "") -> Figure:
    """Bars of the first sentence, a panel per cell: pushes upwards and pops downwards, with a line at what is held."""
    figure = Picture(figsize=(9.0, 0.8 + 2.6 * len(cells)), layout="constrained")
    title_figure(figure, title or "Memory")
    for axes, (cell, pieces) in zip(figure.subplots(len(cells), 1, squeeze=False)[:, 0], cells, strict=True):
        _draw(axes, cell, pieces)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small", frameon=False)
    return figure


def _draw(axes: Axes, cell: CellTrace, pieces: Sequence[str]) -> None:
    steps = int(cell.lengths[0])
    push, pop = (cell.gates[name][0, :steps, 0].float().cpu().numpy() for name in ("push", "pop"))
    axes.bar(range(steps), push, color=ACCENT, label="pushed")
    axes.bar(range(steps), -pop, color=_LOST, label="popped")
    if cell.filled is not None:
        held = cell.filled[0, :steps].float().cpu().numpy()
        axes.plot(np.arange(steps), held, color="#222222", marker=".", label="held then")
    axes.axhline(0, color="#888888", linewidth=0.6)
    axes.set_title(cell.name, loc="left", fontsize="medium")
    axes.set_ylabel("values")
    label_columns(axes, pieces, 8.0)
