"""The picture of units that follow a signal."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seq2seq.interpretation.fonts import font_families, writable
from seq2seq.interpretation.plots import ACCENT, Picture
from seq2seq.interpretation.unit_examples import ShownUnit

_WIDTH, _ROW, _REST = 9.0, 1.05, 0.8  # inches
_SIGNAL, _GREY = "#b5382a", "#8b93a1"
_LABELS = 70  # that can be read side by side


def units_figure(units: Sequence[ShownUnit], *, title: str = "") -> Figure:
    """A panel for each unit: its values over example lines, and those of its signal beside them, in red.

    Each has its own scale, and lines are apart; pieces stand below.
    """
    figure = Picture(figsize=(_WIDTH, _REST + _ROW * max(len(units), 1)), layout="constrained")
    figure.suptitle(writable(title or "Units"), parse_math=False, fontfamily=font_families([title]), wrap=True)
    panels = figure.subplots(max(len(units), 1), 1, squeeze=False)[:, 0]
    for axes, unit in zip(panels, units, strict=False):
        _draw(axes, unit)
    return figure


def _draw(axes: Axes, unit: ShownUnit) -> None:
    signals = axes.twinx()
    first = 0
    ticks: list[tuple[float, str]] = []
    for line in unit.lines:
        places = np.arange(first, first + len(line.pieces))
        axes.plot(places, line.values, color=ACCENT, marker=".", markersize=3, linewidth=1.2)
        signals.plot(places, line.signal, color=_SIGNAL, linestyle=":", linewidth=1.2)
        ticks += zip(places.tolist(), line.pieces, strict=True)
        first += len(line.pieces) + 1
    shown = ticks[:: -(-len(ticks) // _LABELS)]
    pieces = [writable(piece) for _, piece in shown]
    families = font_families(pieces)
    axes.set_xticks([place for place, _ in shown], pieces, fontsize="x-small", parse_math=False, fontfamily=families)
    finding = unit.finding
    axes.set_title(
        f"{finding.cell}, unit {finding.unit}: {finding.column}, r {finding.correlation:+.2f}"
        + ("" if finding.partial is None else f", partial {finding.partial:+.2f}"),
        loc="left",
        fontsize="small",
        parse_math=False,
    )
    axes.axhline(0, color=_GREY, linewidth=0.6)
    axes.tick_params(axis="y", labelsize="x-small")
    signals.tick_params(axis="y", labelsize="x-small", colors=_SIGNAL)
    axes.set_ylabel("unit", fontsize="x-small")
    signals.set_ylabel("signal", fontsize="x-small", color=_SIGNAL)
