"""The picture of interventions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from seq2seq.interpretation.plots import ACCENT, SIGNED, Picture, scale_of, title_figure

_WIDTH, _ROW, _LEAST = 9.0, 0.2, 2.4  # inches of 100 pixels


class InterventionBar(NamedTuple):
    """Effect of one intervention on a score and the loss, with 95 %, and on the loss at each position of targets."""

    name: str
    score: float
    score_interval: tuple[float, float] | None
    loss: float
    loss_interval: tuple[float, float] | None
    course: Sequence[float]


def interventions_figure(bars: Sequence[InterventionBar], metric: str, *, shown: int, title: str) -> Figure:
    """Three panels with a row for each intervention: changes of score and loss as bars, and of the loss over positions.

    Positions are those of the first tokens of targets, as many as are to be shown.
    """
    figure = Picture(figsize=(_WIDTH, _LEAST + _ROW * len(bars)), layout="constrained")
    score, loss, course = figure.subplots(1, 3, sharey=True, width_ratios=(2, 2, 3))
    places = np.arange(len(bars))
    for axes, values, intervals, name in (
        (score, [bar.score for bar in bars], [bar.score_interval for bar in bars], f"{metric}, points"),
        (loss, [bar.loss for bar in bars], [bar.loss_interval for bar in bars], "loss, nats a token"),
    ):
        axes.barh(places, np.nan_to_num(values, posinf=0, neginf=0), color=ACCENT, height=0.7)
        for place in places[~np.isfinite(values)]:
            axes.annotate("not finite", (0, place), (4, 0), textcoords="offset points", va="center", fontsize="x-small")
        for place, ends in enumerate(intervals):
            if ends is not None:
                axes.plot(ends, (place, place), color="black", linewidth=1)
        axes.axvline(0, color="#8b93a1", linewidth=0.8)
        axes.set_title(name, loc="left", fontsize="medium")
        axes.set_xlabel("change")
        axes.set_axisbelow(True)
        axes.grid(axis="x", color="#e3e6ec", linewidth=0.6)
    score.set_yticks(places, [bar.name for bar in bars], fontsize="small")
    score.invert_yaxis()
    courses = np.array([[*bar.course[:shown], *[np.nan] * (shown - len(bar.course))] for bar in bars])
    most = scale_of(courses, 98.0)
    courses = courses.clip(-most, most)  # else nothing is drawn of what is infinite
    image = course.imshow(courses, cmap=SIGNED.reversed(), vmin=-most, vmax=most, aspect="auto", interpolation="none")
    course.set_xticks(range(0, shown, max(1, shown // 8)), range(1, shown + 1, max(1, shown // 8)))
    course.set_title("loss by target token", loc="left", fontsize="medium")
    course.set_xlabel("target token")
    figure.colorbar(image, ax=course, label="change, nats", extend="both")
    title_figure(figure, title)
    return figure
