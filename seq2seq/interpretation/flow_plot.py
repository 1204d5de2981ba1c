"""The picture of where gradients go."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seq2seq.interpretation.gradient_flow import PATHS, Flow
from seq2seq.interpretation.plots import Picture, line_style, title_figure, write_legend

_TITLES = {
    "whole": "all ways back",
    "cell": "through cell states alone",
    "hidden": "through hidden states alone",
}
_WIDTH = 9.0  # inches of 100 pixels, at most
_DEEPEST = 1e-12  # of the greatest norm: below it is nothing that a step of training would feel
_CORNER: dict[str, Any] = {"ha": "right", "va": "top", "fontsize": "small", "color": "#555c69"}


def flow_figure(curves: Mapping[str, Mapping[str, Flow]], *, title: str = "") -> Figure:
    """Norms of gradients over their distance from the loss, on a scale of powers of ten, a curve for each name.

    A panel for all ways back and one for each way by itself, where some cell has two. Solid lines are of the hidden
    state, dashed ones of the cell state. What is smaller than 1e-12 of the greatest norm is not drawn.
    """
    paths = [path for path in PATHS if any(path in flows for flows in curves.values())]
    figure = Picture(figsize=(min(_WIDTH, 3.4 * len(paths) + 1.6), 4.2 + 0.12 * len(curves)), layout="constrained")
    title_figure(figure, title or "Gradients by distance")
    panels = figure.subplots(1, len(paths), sharey=True, squeeze=False)[0]
    lines: dict[str, Any] = {}
    for axes, path in zip(panels, paths, strict=True):
        lines |= _draw(axes, path, curves)
    panels[0].set_ylabel("norm of the gradient of a step's loss")
    panels[0].text(
        0.98, 0.97, "in the hidden state: ——\nin the cell state: - - -", **_CORNER, transform=panels[0].transAxes
    )
    most = max(max(*flow.hidden, *(flow.cell or [])) for flows in curves.values() for flow in flows.values())
    for axes in panels:
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, most * _DEEPEST), high)
    write_legend(figure, lines, loc="outside lower center", ncols=len(paths), frameon=False)
    return figure


def _draw(axes: Axes, path: str, curves: Mapping[str, Mapping[str, Flow]]) -> dict[str, Any]:
    """Draw the curves of a way; lines of hidden states come back, by name."""
    lines: dict[str, Any] = {}
    for number, (name, flows) in enumerate(curves.items()):
        if path not in flows:
            continue
        flow = flows[path]
        if path != "cell":
            (lines[name],) = axes.plot(*_positive(flow.hidden), **line_style(number))
        if flow.cell is not None and path != "hidden":
            axes.plot(*_positive(flow.cell), **line_style(number), linestyle="--")
    axes.set_yscale("log")
    axes.set_title(_TITLES[path], loc="left", fontsize="medium")
    axes.set_xlabel("steps between state and loss")
    axes.grid(color="#e3e6ec", linewidth=0.6)
    return lines


def _positive(norms: list[float]) -> tuple[list[int], list[float]]:
    """Distances and norms that a logarithm can show."""
    shown = [(distance, norm) for distance, norm in enumerate(norms) if norm > 0]
    return [distance for distance, _ in shown], [norm for _, norm in shown]
