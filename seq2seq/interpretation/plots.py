"""Arrays to figures; the only place that draws."""

from collections.abc import Sequence

from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor


def attention_figure(weights: Float[Tensor, "target source"], source: Sequence[str], target: Sequence[str]) -> Figure:
    """Weights as a heat map: a row per target piece, a column per source piece."""
    figure = Figure(figsize=(1.5 + 0.35 * len(source), 1.2 + 0.3 * len(target)), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(weights.float().cpu().numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source, rotation=90 if max(map(len, source)) > 2 else 0)
    axes.set_yticks(range(len(target)), target)
    axes.set_xlabel("source")
    axes.set_ylabel("target")
    figure.colorbar(image, label="attention weight")
    return figure
