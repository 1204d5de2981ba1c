"""Results of choices that were trained alike: rows of a table, and a record of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seq2seq.markdown import cell
from seq2seq.metrics.seed_interval import SeedInterval
from seq2seq.metrics.units import with_unit


@dataclass(frozen=True)
class ScoredChoice:
    """A choice: its hidden sizes, its parameters, and the dev scores and seconds of its seeds.

    `along` is the value of what was varied beside the choices, if anything was.
    """

    name: str
    sizes: tuple[int, int]
    parameters: int
    scores: Sequence[float]
    seconds: Sequence[float]
    steps: int
    speed: float | None = None
    along: Any = None

    @property
    def score(self) -> SeedInterval:
        """The mean score over seeds, with its interval."""
        return SeedInterval.of(self.scores)

    def beside(self, other: "ScoredChoice") -> SeedInterval:
        """Distance of the score above another choice's, seed by seed, as these share their data's order."""
        return SeedInterval.of([own - its for own, its in zip(self.scores, other.scores, strict=True)])

    def report(self, first: "ScoredChoice") -> dict[str, Any]:
        """The record of a choice, in types of JSON, also beside the first of them."""
        return {**asdict(self), "score": asdict(self.score), "beside_the_first": asdict(self.beside(first))}


def table_head(metric: str, seeds: int) -> list[str]:
    """The head of the table; with several seeds each row has an interval, and one of what it is above the first."""
    columns = ["choice", "hidden sizes", "parameters", "target tokens/s", "steps", with_unit(metric, metric)]
    if seeds > 1:
        columns = [*columns[:-1], f"{columns[-1]}, mean and 95 % of {seeds} seeds", "above the first"]
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


def table_row(choice: ScoredChoice, first: ScoredChoice) -> str:
    """The row of a choice."""
    speed = "not logged" if choice.speed is None else f"{choice.speed:,.0f}"
    sizes = ", ".join(map(str, choice.sizes))
    cells = [
        cell(choice.name),
        sizes,
        f"{choice.parameters:,}",
        speed,
        f"{choice.steps:,}",
        str(choice.score),
    ]
    if len(choice.scores) > 1:
        cells.append("" if choice is first else _signed(choice.beside(first)))
    return f"| {' | '.join(cells)} |"


def _signed(found: SeedInterval) -> str:
    return str(found) if found.mean < 0 else f"+{found}"
