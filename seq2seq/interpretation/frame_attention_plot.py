"""Attention over a series of frames, drawn below the frames themselves."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from seq2seq.interpretation.fonts import font_families, writable
from seq2seq.interpretation.plots import SHARES, Picture, title_figure


def attention_over_frames(
    weights: Float[Tensor, "target source"],
    frames: Float[Tensor, "source feature"],
    target: Sequence[str],
    *,
    title: str = "",
) -> Figure:
    """Two heat maps over the same frames: of features, the first at the bottom, and of weights, a row per target piece.

    Features are drawn as they are given; what is missing stays white. The darkest weight is the greatest of all.
    """
    figure = Picture(figsize=(9.0, min(16.0, 3.6 + 0.3 * len(target))), layout="constrained")
    title_figure(figure, title or "Attention")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.0, max(1.0, 0.15 * len(target))])
    extent = (0.5, len(frames) + 0.5)
    values = np.ma.masked_invalid(frames.float().cpu().numpy().T)
    image = upper.imshow(
        values, cmap=SHARES, aspect="auto", origin="lower", extent=(*extent, 0.5, frames.shape[1] + 0.5)
    )
    upper.set_ylabel("feature")
    figure.colorbar(image, ax=upper, label="normalised value")
    shares = weights.float().cpu().numpy()
    most = float(shares.max(initial=0.0)) or 1.0
    image = lower.imshow(
        shares, cmap=SHARES, vmin=0, vmax=most, aspect="auto", extent=(*extent, len(target) - 0.5, -0.5)
    )
    figure.colorbar(image, ax=lower, label="attention weight")
    shown = [writable(piece) for piece in target]
    lower.set_yticks(range(len(target)), shown, parse_math=False, fontfamily=font_families(shown))
    lower.set_xlabel("frame")
    lower.set_ylabel("target")
    return figure
