"""The picture of a run's curves."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seq2seq.interpretation.plots import ACCENT, Picture
from seq2seq.interpretation.training_curves import TrainingCurves

_OTHER, _GREY = "#b5382a", "#8b93a1"
_HEALTHY = 1e-3  # of update to weights, about


def training_figure(curves: TrainingCurves, *, title: str = "") -> Figure:
    """Curves over the steps of a run: losses, the share of saturated gates, update ratio and gradient norm, and skips.

    The dotted line is a usual update ratio.
    """
    figure = Picture(figsize=(9.0, 7.6), layout="constrained")
    figure.suptitle(title or "Curves of training", parse_math=False, wrap=True)
    losses, gates, sizes, skips = figure.subplots(4, 1, sharex=True)
    _lines(losses, curves, (("train_loss", "train"), ("dev_loss", "dev")), "loss per token")
    worst = next((point.gate for point in reversed(curves.points) if point.gate), None)
    most = f"most of one gate, at last {worst}" if worst else "most of one gate"
    _lines(gates, curves, (("saturated", "mean of all gates"), ("most_saturated", most)), "share saturated")
    gates.set_ylim(0, 1.05)
    _lines(sizes, curves, (("update_ratio", "update / weights"), ("gradient_norm", "norm of the gradient")), "size")
    if sizes.lines:
        sizes.set_yscale("log")
        sizes.axhline(_HEALTHY, color=_GREY, linestyle=":", linewidth=1)
    _lines(skips, curves, (("skipped", "not finite"), ("overflows", "overflows of scaled losses")), "steps left out")
    skips.set_ylim(bottom=0, top=max(1.0, skips.get_ylim()[1]))
    skips.yaxis.get_major_locator().set_params(integer=True)
    skips.set_xlabel("step")
    return figure


def _lines(axes: Axes, curves: TrainingCurves, named: Sequence[tuple[str, str]], label: str) -> None:
    for (name, shown), colour, style in zip(named, (ACCENT, _OTHER), ("-", "--"), strict=True):
        steps, values = curves.curve(name)
        if steps:
            axes.plot(steps, values, color=colour, linestyle=style, marker=".", markersize=4, label=shown)
    axes.set_ylabel(label)
    axes.grid(axis="y", color="#e3e6ec", linewidth=0.6)
    if axes.lines:
        axes.legend(fontsize="small", loc="best")
    else:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", va="center", color=_GREY)
