"""Attention over the picture of a line of text, drawn on the line itself."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from seq2seq.interpretation.fonts import font_families, writable
from seq2seq.interpretation.plots import SHARES, Picture, title_figure

_WIDTH, _MOST_ROWS = 9.0, 60  # inches; target pieces that are drawn


def attention_over_line(
    weights: Float[Tensor, "target source"],
    line: Float[Tensor, "source feature"],
    target: Sequence[str],
    *,
    title: str = "",
) -> Figure:
    """A copy of the line for each target piece, its columns tinted as strongly as the piece looked at them.

    The line has a column of pixels in each frame, from the top, whatever their scale: the greatest is black. The
    strongest tint is that of the greatest weight of all. Of more than 60 pieces, the first are drawn.
    """
    shown = [writable(piece) for piece in target[:_MOST_ROWS]]
    pixels, shares = line.float().cpu().numpy().T, weights.float().cpu().numpy()
    high = min(0.45, max(0.2, (_WIDTH - 1.2) * pixels.shape[0] / pixels.shape[1]))
    figure = Picture(figsize=(_WIDTH, high * (len(shown) + 1) + 0.9), layout="constrained")
    title_figure(figure, title or "Attention")
    panels = figure.subplots(len(shown) + 1, 1, squeeze=False)[:, 0]
    most = float(shares.max(initial=0.0)) or 1.0
    families = font_families(shown)
    for number, axes in enumerate(panels):
        share = np.zeros(pixels.shape[1]) if number == 0 else shares[number - 1] / most
        axes.imshow(tinted(pixels, share), aspect="auto", interpolation="nearest")
        axes.set_xticks([])
        piece = "line" if number == 0 else shown[number - 1]
        axes.set_yticks([(pixels.shape[0] - 1) / 2], [piece], parse_math=False, fontfamily=families)
        axes.tick_params(length=0)
        axes.spines[:].set_color("#d5dae2")
    return figure


def tinted(
    pixels: Float[np.ndarray, "row column"], share: Float[np.ndarray, " column"]
) -> Float[np.ndarray, "row column 3"]:
    """The picture as colours of 0 to 1: ink on paper whose columns have the colours of shares of 0 to 1."""
    low, high = np.nanmin(pixels), np.nanmax(pixels)
    ink = np.nan_to_num((pixels - low) / (high - low if high > low else 1))
    paper = np.where(share[:, None] > 0, SHARES(0.6 * share)[:, :3], 1.0)
    return paper * (1 - ink[..., None])
