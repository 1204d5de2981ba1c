"""Figures of arrays; the only place that draws."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from seq2seq.interpretation.trace import CellTrace


def attention_figure(weights: Float[Tensor, "target source"], source: Sequence[str], target: Sequence[str]) -> Figure:
    """A heat map of `target source` weights: a row per target piece, a column per source piece."""
    figure, axes = _pairs_figure(source, target)
    image = axes.imshow(weights.float().cpu().numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    figure.colorbar(image, label="attention weight")
    return figure


def attribution_figure(shares: Float[Tensor, "target source"], source: Sequence[str], target: Sequence[str]) -> Figure:
    """A heat map of `target source` shares, blue where a source piece helped a target piece and red where it hurt."""
    figure, axes = _pairs_figure(source, target)
    most = float(shares.abs().max()) or 1.0
    image = axes.imshow(shares.float().cpu().numpy(), cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    figure.colorbar(image, label="share of the score")
    return figure


def gates_figure(cell: CellTrace, pieces: Sequence[str]) -> Figure:
    """A figure of the first sentence, a panel per gate: a row per unit, a column per piece that was read or written."""
    steps = int(cell.lengths[0])
    width = 1.5 + len(cell.gates) * max(2.0, 0.25 * steps)
    figure = Figure(figsize=(width, 6), layout="constrained")
    figure.suptitle(cell.name)
    panels = figure.subplots(1, len(cell.gates), squeeze=False)[0]
    for axes, (name, values) in zip(panels, cell.gates.items(), strict=True):
        rows = values[0, :steps].T.float().cpu().numpy()
        high = max(1.0, float(abs(rows).max()))  # a candidate through relu or identity has no bound
        low, colours = (-high, "RdBu") if name == "candidate" else (0, "viridis")
        image = axes.imshow(rows, cmap=colours, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
        axes.set_title(name)
        _ticks(axes, pieces)
        axes.set_ylabel("unit")
        figure.colorbar(image, ax=axes, location="bottom")
    return figure


def time_constants_figure(constants: Mapping[str, Float[Tensor, " _"]]) -> Figure:
    """Histograms, one per cell, of how many units remember for how many steps.

    What is beyond either end counts to the last bar.
    """
    figure = Figure(figsize=(7, 1.0 + 1.2 * len(constants)), layout="constrained")
    edges = np.geomspace(0.25, 256, 41)
    panels = figure.subplots(max(len(constants), 1), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, steps) in zip(panels, constants.items(), strict=False):
        axes.hist(steps.float().cpu().numpy().clip(edges[0], edges[-1]), bins=edges, color="tab:blue")
        axes.set_xscale("log", base=2)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    panels[-1].set_xlabel("time constant of a unit's memory, in steps")
    return figure


def _pairs_figure(source: Sequence[str], target: Sequence[str]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(1.5 + 0.35 * len(source), 1.2 + 0.3 * len(target)), layout="constrained")
    axes = figure.add_subplot()
    _ticks(axes, source)
    axes.set_yticks(range(len(target)), target, parse_math=False)
    axes.set_xlabel("source")
    axes.set_ylabel("target")
    return figure, axes


def _ticks(axes: Axes, pieces: Sequence[str]) -> None:
    """Write every piece below its column, as it is; long ones are turned."""
    turned = 90 if max(map(len, pieces)) > 2 else 0
    axes.set_xticks(range(len(pieces)), pieces, rotation=turned, parse_math=False)
