"""The picture of a series of frames: what its values gave to a score, and the gates that read them."""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from torch import Tensor

from seq2seq.interpretation.fonts import writable
from seq2seq.interpretation.plots import SHARES, SIGNED, Picture, as_written, title_figure

_PANEL = 2.0  # inches


def feature_figure(
    shares: Float[Tensor, "time column"],
    gates: Mapping[str, Float[Tensor, "1 time _"]],
    *,
    features: Sequence[str],
    times: Sequence[float],
    unit: str = "",
    title: str = "",
) -> Figure:
    """A figure with a column per frame, under each other: shares of a score by feature, and each gate's units.

    Columns are numbered by their times; a share upwards is blue, one downwards is red.
    """
    height = 0.9 + 0.24 * len(features)
    sizes = [height, *[_PANEL if values.shape[-1] > 1 else 0.9 for values in gates.values()]]
    figure = Picture(figsize=(9.0, 1.0 + sum(sizes)), layout="constrained")
    title_figure(figure, title or "Frames")
    panels = figure.subplots(len(sizes), 1, sharex=True, squeeze=False, height_ratios=sizes)[:, 0]
    most = float(shares.abs().max()) or 1.0
    _draw(figure, panels[0], shares, (SIGNED, -most, most))
    names = [*map(writable, features)]
    panels[0].set_yticks(range(len(features)), names, **as_written(names))
    panels[0].set_title("share of the score", loc="left", fontsize="medium")
    for axes, (name, values) in zip(panels[1:], gates.items(), strict=True):
        _draw_gate(figure, axes, name, values[0])
    panels[-1].set_xticks(range(len(times)), [f"{time:.3g}" for time in times], fontsize="small")
    panels[-1].set_xlabel(f"time in {unit}" if unit else "time")
    return figure


def _draw_gate(figure: Figure, axes: Axes, name: str, values: Float[Tensor, "time units"]) -> None:
    ordered = values[:, values.float().mean(0).argsort()]
    high = max(1.0, float(values.abs().max()))
    _draw(figure, axes, ordered, (SIGNED, -high, high) if name == "candidate" else (SHARES, 0.0, high))
    axes.set_title(name, loc="left", fontsize="medium")
    axes.set_yticks([])
    axes.set_ylabel("units, by mean" if values.shape[-1] > 1 else "")


def _draw(
    figure: Figure, axes: Axes, values: Float[Tensor, "time rows"], colours: tuple[Colormap, float, float]
) -> None:
    colour, low, high = colours
    rows = values.T.detach().float().cpu().numpy()
    image = axes.imshow(rows, cmap=colour, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
    figure.colorbar(image, ax=axes, pad=0.01, aspect=12)
