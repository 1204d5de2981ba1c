"""Pictures of what cells did over a long stream, at most 900 pixels wide."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from seq2seq.interpretation.bins import Bins
from seq2seq.interpretation.fonts import font_families, writable
from seq2seq.interpretation.plots import ACCENT, SIGNED, Picture
from seq2seq.interpretation.stream_reader import Mark, StreamReader
from seq2seq.interpretation.stream_statistics import CellStatistics

_WIDTH = 9.0  # inches of 100 pixels
_RESETS = 40  # lines that can still be told apart
_RESET, _MARK = "#8a94a6", "#b5382a"
_MARKS_NAMED = 8
_BEYOND = 4.0  # deviations at which colours end


def stream_figure(cell: CellStatistics, reader: StreamReader, *, title: str = "") -> Figure:
    """Panels of one cell over the tokens of a stream: gates, size of the memory, and the memory of each unit.

    A line is the median of units, the dark band holds the middle half of them, the light one nine tenths. Resets are
    grey lines, or their number in each stretch where there are many; marks are red.
    """
    assert cell.memory is not None
    many = reader.resets.total > _RESETS
    heights = [1.25] * len(cell.gates) + [1.25] + [0.7] * many + [2.8]
    figure = Picture(figsize=(_WIDTH, 0.9 + sum(heights)), layout="constrained")
    figure.suptitle(writable(title or cell.name), parse_math=False, fontfamily=font_families([title]), wrap=True)
    panels = list(figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0])
    for axes, (name, values) in zip(panels, cell.gates.items(), strict=False):
        _bands(axes, values, name)
    _norm(panels[len(cell.gates)], cell.norm)
    if many:
        _reset_counts(panels[len(cell.gates) + 1], reader.resets)
    _heat(panels[-1], cell, cell.memory)
    for axes in panels:
        _lines(axes, reader, every_reset=not many)
    _name_marks(panels[0], reader.marks)
    panels[-1].set_xlabel("token of the stream")
    panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda token, _: f"{token:,.0f}"))
    panels[-1].set_xlim(0, max(reader.tokens, 1))
    return figure


def marks_figure(marks: Sequence[Mark], *, title: str = "") -> Figure:
    """A panel for each mark: the tokens before it, and of the units that changed most how far they were from before."""
    shown = [mark for mark in marks if mark.changed]
    heights = [0.9 + 0.22 * len(mark.changed) for mark in shown]
    figure = Picture(figsize=(_WIDTH, 1.0 + sum(heights) + 0.35 * len(shown)), layout="constrained")
    figure.suptitle(title or "What came before each mark", parse_math=False, wrap=True)
    panels = figure.subplots(max(len(shown), 1), 1, squeeze=False, height_ratios=heights or None)[:, 0]
    image = None
    for axes, mark in zip(panels, shown, strict=False):
        rows = np.array([changed.course.numpy() for changed in mark.changed])
        image = axes.imshow(rows, cmap=SIGNED, vmin=-_BEYOND, vmax=_BEYOND, aspect="auto", interpolation="nearest")
        names = [f"{changed.cell}: {changed.number}" for changed in mark.changed]
        axes.set_yticks(range(len(names)), names, fontsize="x-small")
        pieces = [writable(piece) for piece in mark.pieces]
        families = font_families(pieces)
        axes.set_xticks(
            range(len(pieces)), pieces, rotation=90, fontsize="x-small", parse_math=False, fontfamily=families
        )
        axes.set_title(f"{mark.label}, behind token {mark.place:,}", loc="left", fontsize="medium", parse_math=False)
    if image is not None:
        label = "deviations from the stream before"
        figure.colorbar(image, ax=list(panels), location="bottom", label=label, shrink=0.5, extend="both", aspect=40)
    return figure


def _bands(axes: Axes, values: Bins, name: str) -> None:
    """Quantiles over units of each stretch's means, as steps."""
    low, first, middle, third, high = np.nanquantile(values.means.numpy(), [0.05, 0.25, 0.5, 0.75, 0.95], axis=1)
    edges = values.edges.numpy()
    axes.stairs(high, edges, baseline=low, fill=True, color="#d3deef")
    axes.stairs(third, edges, baseline=first, fill=True, color="#9dbbe3")
    axes.stairs(middle, edges, baseline=None, color=ACCENT, linewidth=1.2)
    axes.set_ylabel(name)
    if name != "candidate":
        axes.set_ylim(0, 1)


def _norm(axes: Axes, norm: Bins) -> None:
    """The mean size of the memory in each stretch, and the largest."""
    edges = norm.edges.numpy()
    axes.stairs(norm.most[: norm.length, 0].numpy(), edges, baseline=None, color="#9dbbe3", linewidth=0.8)
    axes.stairs(norm.means[:, 0].numpy(), edges, baseline=None, color=ACCENT, linewidth=1.2)
    axes.set_ylabel("norm of\nthe memory")
    axes.set_ylim(bottom=0)


def _reset_counts(axes: Axes, resets: Bins) -> None:
    axes.stairs(resets.counts[: resets.length].numpy(), resets.edges.numpy(), fill=True, color=_RESET)
    axes.set_ylabel("resets")
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))


def _heat(axes: Axes, cell: CellStatistics, memory: Bins) -> None:
    """A row for each unit, those that keep longest on top: its memory, less the mean over the stream."""
    values = (memory.means - memory.mean).numpy().T  # (units, stretches)
    kept = cell.kept if cell.kept is not None and len(cell.kept) == len(values) else -np.arange(len(values))
    most = float(np.nanquantile(abs(values), 0.99)) or 1.0
    image = axes.pcolormesh(
        memory.edges.numpy(), np.arange(len(values) + 1), values[np.argsort(-np.asarray(kept), kind="stable")],
        cmap=SIGNED, vmin=-most, vmax=most, rasterized=True,
    )  # fmt: skip
    axes.invert_yaxis()
    axes.set_ylabel("memory of units,\nslowest on top")
    picture = axes.get_figure()
    assert picture is not None
    label = "from the unit's mean over the stream"
    picture.colorbar(image, ax=axes, location="bottom", shrink=0.4, aspect=40, pad=0.02, extend="both", label=label)


def _lines(axes: Axes, reader: StreamReader, *, every_reset: bool) -> None:
    if every_reset:
        rows = reader.resets.counts[: reader.resets.length].nonzero().flatten()
        for row in rows.tolist():
            axes.axvline(row * reader.resets.width, color=_RESET, linewidth=0.8)
    for mark in reader.marks:
        axes.axvline(mark.place, color=_MARK, linestyle="--", linewidth=1)
    axes.grid(axis="y", color="#e3e6ec", linewidth=0.6)
    axes.set_axisbelow(True)


def _name_marks(axes: Axes, marks: Sequence[Mark]) -> None:
    """Labels over the first few marks, on two lines, so that neighbours do not hide each other."""
    for number, mark in enumerate(marks[:_MARKS_NAMED]):
        axes.annotate(
            str(number + 1), (mark.place, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 2 + 9 * (number % 2)),
            textcoords="offset points", ha="center", fontsize="small", color=_MARK,
        )  # fmt: skip
