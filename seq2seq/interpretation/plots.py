"""Figures of arrays; the only place that draws. At most 900 pixels wide, in the colours of the report's page."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from math import ceil, inf
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from seq2seq.interpretation.fonts import font_families, writable
from seq2seq.interpretation.gates import order_by_peak
from seq2seq.interpretation.trace import CellTrace, CopyTrace
from seq2seq.whole_file import behind_links, write_whole

FORMATS = ("png", "svg", "pdf")
# Low, middle and high; negative, neutral and positive.
SHARES = LinearSegmentedColormap.from_list("shares", ["#f2f4f8", "#6f9fd8", "#0b2a63"], N=257)
SIGNED = LinearSegmentedColormap.from_list("signed", ["#b5382a", "#f4f2ee", "#1f5fa8"], N=257)
ACCENT = "#2057a7"
# Of lines side by side, which colour-blind readers tell apart, too (Okabe and Ito 2008).
LINE_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#000000", "#8b93a1")
_MARKS = ("", "o", "s", "^")
_WIDTH, _NARROW = 9.0, 4.5  # inches of 100 pixels
_LABELS_PER_INCH = 6
_DPI = 100


class Picture(Figure):
    """A figure that a notebook shows without pyplot, which keeps all figures that it makes.

    Lines in its panels are of `LINE_COLOURS`, in order.
    """

    def add_subplot(self, *args: Any, **kwargs: Any) -> Any:
        """The panel that matplotlib adds, with colours of its own."""
        axes = super().add_subplot(*args, **kwargs)
        axes.set_prop_cycle(color=LINE_COLOURS)
        return axes

    def _repr_png_(self) -> bytes:
        data = BytesIO()
        self.savefig(data, format="png", dpi=_DPI)
        return data.getvalue()


def line_style(number: int) -> dict[str, Any]:
    """Options of a line by its number: its colour, and marks along it where colours are gone through."""
    turn, place = divmod(number, len(LINE_COLOURS))
    style: dict[str, Any] = {"color": LINE_COLOURS[place], "linewidth": 1.4}
    return style | ({"marker": _MARKS[turn % len(_MARKS)], "markersize": 4, "markevery": 0.1} if turn else {})


def write_picture(figure: Figure, path: Path, dpi: float | int | str = "figure") -> None:
    """Write a figure to a file, in the format of its name, whole or not at all; a link stays one."""
    data = BytesIO()
    figure.savefig(data, format=path.suffix.removeprefix("."), dpi=dpi)
    write_whole(behind_links(path), data.getvalue())


def attention_figure(
    weights: Float[Tensor, "target source"], source: Sequence[str], target: Sequence[str], *, title: str = ""
) -> Figure:
    """A heat map of `target source` weights: a row per target piece, a column per source piece."""
    figure, axes = _pairs_figure(source, target, title or "Attention")
    image = axes.imshow(weights.float().cpu().numpy(), cmap=SHARES, vmin=0, vmax=1, aspect="auto")
    figure.colorbar(image, label="attention weight")
    return figure


def attribution_figure(
    shares: Float[Tensor, "target source"], source: Sequence[str], target: Sequence[str], *, title: str = ""
) -> Figure:
    """A heat map of `target source` shares, blue where a source piece helped a target piece and red where it hurt.

    Where a share is no number, nothing is drawn.
    """
    figure, axes = _pairs_figure(source, target, title or "Attribution")
    most = float(shares.nan_to_num().abs().max()) or 1.0
    image = axes.imshow(shares.float().cpu().numpy(), cmap=SIGNED, vmin=-most, vmax=most, aspect="auto")
    figure.colorbar(image, label="share of the score")
    return figure


def copying_figure(copying: CopyTrace, target: Sequence[str], *, title: str = "") -> Figure:
    """Bars of how much of each target piece of the first pair was copied, and a line at what the switch gave that."""
    figure = Picture(figsize=(min(_WIDTH, max(_NARROW, 1.8 + 0.35 * len(target))), 3.0), layout="constrained")
    title_figure(figure, title or "Copying")
    axes = figure.add_subplot()
    shares, switch = (part[0, : len(target)].float().cpu().numpy() for part in (copying.shares, copying.switch))
    axes.bar(range(len(target)), shares, color=ACCENT, label="share of the piece that was copied")
    axes.step(
        np.arange(-0.5, len(target)), [*switch, switch[-1]], where="post", color="#b5382a", label="switch to copy"
    )
    axes.set_ylim(0, 1)
    label_columns(axes, target, figure.get_figwidth() - 1.0)
    axes.set_xlabel("target")
    figure.legend(loc="outside lower center", ncols=2, fontsize="small", frameon=False)
    return figure


def gates_figure(cell: CellTrace, pieces: Sequence[str], *, title: str = "") -> Figure:
    """A figure of the first sentence, a panel per gate: a row per unit, a column per piece that was read or written.

    Units are in the order of the page: by the time at which the gate that keeps their memory is at its peak.
    """
    steps = int(cell.lengths[0])
    columns = min(len(cell.gates), max(1, int(_WIDTH * _LABELS_PER_INCH / max(steps, 1))), 4)
    lines = ceil(len(cell.gates) / columns)
    figure = Picture(figsize=(_WIDTH, 0.6 + 4.0 * lines), layout="constrained")
    title_figure(figure, title or cell.name)
    panels = figure.subplots(lines, columns, squeeze=False)
    units = order_by_peak(cell).cpu().numpy()
    for axes, (name, values) in zip(panels.flat, cell.gates.items(), strict=False):
        rows = values[0, :steps].T.float().cpu().numpy()
        high = max(1.0, float(abs(rows).max()))  # a candidate through relu or identity has no bound
        low, colours = (-high, SIGNED) if name == "candidate" else (0, SHARES)
        ordered = rows[units] if len(rows) == len(units) else rows  # gates of one unit for many have no such order
        image = axes.imshow(ordered, cmap=colours, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
        axes.set_title(name)
        label_columns(axes, pieces, _WIDTH / columns)
        axes.set_ylabel("unit, by time of its peak")
        figure.colorbar(image, ax=axes, location="bottom")
    for axes in panels.flat[len(cell.gates) :]:
        axes.remove()
    return figure


def time_constants_figure(
    constants: Mapping[str, Float[Tensor, " _"]], *, title: str = "", of: str = "steps"
) -> Figure:
    """Histograms, one per cell, of how many units remember for how many steps, or tokens.

    What is beyond either end counts to the last bar.
    """
    figure = Picture(figsize=(_WIDTH, 1.2 + 1.4 * len(constants)), layout="constrained")
    title_figure(figure, title or "Time constants")
    edges = np.geomspace(0.25, 256, 41)
    panels = figure.subplots(max(len(constants), 1), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, steps) in zip(panels, constants.items(), strict=False):
        axes.hist(steps.float().cpu().numpy().clip(edges[0], edges[-1]), bins=edges, color=ACCENT)
        axes.set_xscale("log", base=2)
        axes.set_title(name, loc="left", fontsize="medium")
        axes.set_ylabel("units")
        axes.yaxis.get_major_locator().set_params(integer=True)
    panels[-1].set_xlabel(f"time constant of a unit's memory, in {of}")
    return figure


def learning_rate_figure(
    rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], suggestion: float
) -> Figure:
    """A curve of losses over learning rates, as they were and smoothed, with a line at the rate that is suggested."""
    figure = Picture(figsize=(_WIDTH, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(rates, losses, color="#b8bfca", linewidth=0.8, label="loss of each step")
    axes.plot(rates, smoothed, color=ACCENT, label="smoothed")
    axes.axvline(suggestion, color="#b5382a", linestyle="--", label=f"suggested: {suggestion:.2g}")
    axes.set_xscale("log")
    axes.set_ylim(min(smoothed) - 0.1 * abs(min(smoothed)), 1.2 * max(smoothed[0], min(smoothed)))
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss per target token")
    axes.legend()
    return figure


def _pairs_figure(source: Sequence[str], target: Sequence[str], title: str) -> tuple[Figure, Axes]:
    width = min(_WIDTH, max(_NARROW, 1.8 + 0.35 * len(source)))
    figure = Picture(figsize=(width, min(16.0, 1.8 + 0.3 * len(target))), layout="constrained")
    title_figure(figure, title)
    axes = figure.add_subplot()
    label_columns(axes, source, width - 1.8)
    shown = [writable(piece) for piece in target]
    axes.set_yticks(range(len(target)), shown, parse_math=False, fontfamily=font_families(shown))
    axes.set_xlabel("source")
    axes.set_ylabel("target")
    return figure, axes


def scale_of(values: np.ndarray, percent: float = 100.0) -> float:
    """The size that so many percent of the finite values do not exceed, above 0: colours go from minus to plus that."""
    sizes = np.abs(values[np.isfinite(values)])
    return max(float(np.percentile(sizes, percent)) if sizes.size else 0.0, float(np.nextafter(0, inf)))


def title_figure(figure: Figure, text: str) -> None:
    """Write a title above a figure, cut where it is too long."""
    shown = writable(text if len(text) <= 90 else f"{text[:88]} \u2026")
    figure.suptitle(shown, parse_math=False, fontfamily=font_families([shown]), wrap=True)


def label_columns(axes: Axes, pieces: Sequence[str], width: float) -> None:
    """Write pieces below their columns, as they are; long ones are turned, of too many some are left out."""
    every = ceil(len(pieces) / (width * _LABELS_PER_INCH))
    shown = [writable(piece) for piece in pieces[::every]]
    turned = 90 if max(map(len, pieces)) > 2 or len(pieces) > 3 * width else 0
    style: dict[str, Any] = {"parse_math": False, "fontfamily": font_families(shown), "fontsize": "small"}
    axes.set_xticks(range(0, len(pieces), every), shown, rotation=turned, **style)


def as_written(names: Sequence[str]) -> dict[str, Any]:
    """Options of texts by which matplotlib writes names as they are, in letters of any script, without formulas."""
    return {"parse_math": False, "fontfamily": font_families(names), "fontsize": "small"}


def write_legend(owner: Axes | Figure, lines: Mapping[str, Any], **options: Any) -> None:
    """Write a legend of lines by their names, as they are; matplotlib would leave out those that begin with _."""
    names = [writable(name) for name in lines]
    shown = [f" {name}" if name.startswith("_") else name for name in names]
    prop = {"family": font_families(names), "size": "small"}
    for text in owner.legend(list(lines.values()), shown, prop=prop, **options).get_texts():
        text.set_parse_math(False)
