"""The picture of vital signs over a run."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seq2seq.interpretation.health_rules import RULES, HealthRule
from seq2seq.interpretation.plots import Picture
from seq2seq.interpretation.vital_signs import VitalSign

_WIDTH, _ROW = 9.0, 2.0  # inches
_OUTSIDE = "#b5382a"
_NAMED = 8  # lines that a legend names


def vital_figure(points: Sequence[tuple[int, Sequence[VitalSign]]], *, title: str = "") -> Figure:
    """Panels of each kind of sign over steps, a line for each place; where all is well ends at red lines."""
    kinds = [rule for rule in RULES if any(sign.kind == rule.kind for _, signs in points for sign in signs)]
    rows = -(-len(kinds) // 2)
    figure = Picture(figsize=(_WIDTH, 0.6 + _ROW * rows), layout="constrained")
    figure.suptitle(title or "Vital signs", parse_math=False, wrap=True)
    panels = list(figure.subplots(rows, 2, sharex=True, squeeze=False).flat)
    for axes, rule in zip(panels, kinds, strict=False):
        _draw(axes, rule, _courses(points, rule.kind))
    for axes in panels[len(kinds) :]:
        axes.remove()
    for axes in panels[max(0, len(kinds) - 2) : len(kinds)]:
        axes.set_xlabel("step")
        axes.tick_params(labelbottom=True)
    return figure


def _courses(points: Sequence[tuple[int, Sequence[VitalSign]]], kind: str) -> dict[str, list[tuple[int, float]]]:
    """Steps and values of one kind of sign, by the place that each was measured at."""
    courses: dict[str, list[tuple[int, float]]] = {}
    for step, sign in ((step, sign) for step, signs in points for sign in signs if sign.kind == kind):
        courses.setdefault(f"{sign.place} {sign.gate}".strip(), []).append((step, sign.value))
    return courses


def _draw(axes: Axes, rule: HealthRule, courses: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    """Draw the courses of one kind of sign, of which the legend names those that end worst."""
    worst = sorted(courses, key=lambda name: -_distance(courses[name][-1][1], rule.low, rule.high))
    for name, course in courses.items():
        label = name if name in worst[:_NAMED] else None
        axes.plot(*zip(*course, strict=True), marker=".", markersize=4, linewidth=1.2, label=label)
    for end in {rule.low, rule.high} - {0.0, 1.0}:
        axes.axhline(end, color=_OUTSIDE, linestyle=":", linewidth=1)
    axes.set_title(f"{rule.kind}: {rule.title}", fontsize="small", loc="left")
    axes.set_ylim(-0.03, 1.03)
    axes.grid(axis="y", color="#e3e6ec", linewidth=0.6)
    axes.legend(fontsize="xx-small", loc="best")


def _distance(value: float, low: float, high: float) -> float:
    """The distance of a value beyond a range; below 0 within."""
    return max(low - value, value - high)
