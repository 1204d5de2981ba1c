"""A table of trials, best first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from seq2seq.markdown import cell
from seq2seq.metrics.seed_interval import SeedInterval
from seq2seq.metrics.units import with_unit


@dataclass(frozen=True)
class Row:
    """A trial: its settings, the scores of its seeds, how it ended, and its seconds of training."""

    number: int
    settings: Mapping[str, Any]
    scores: Sequence[float]
    state: str
    seconds: float | None


def leaderboard(rows: Sequence[Row], metric: str, *, higher: bool, seeds: int) -> Iterator[str]:
    """Lines of a Markdown table of the trials that ended well, and one on the others; ± is a 95 % interval of seeds."""
    ended = sorted((row for row in rows if row.scores), key=lambda row: mean(row.scores), reverse=higher)
    interval = f", mean and 95 % of {seeds} seeds" if seeds > 1 else ""
    yield f"| | trial | {with_unit(f'dev {metric}', metric)}{interval} | minutes | settings |"
    yield "|---|---|---|---|---|"
    for place, row in enumerate(ended, 1):
        settings = " ".join(f"{key}={_shown(value)}" for key, value in row.settings.items()) or "as they are"
        yield f"| {place} | {row.number} | {SeedInterval.of(row.scores)} | {(row.seconds or 0) / 60:.1f} | {settings} |"
    others = {state: sum(row.state == state for row in rows) for state in ("pruned", "fail", "running")}
    words = {"pruned": "stopped early", "fail": "failed", "running": "still running"}
    said = ", ".join(f"{count} {words[state]}" for state, count in others.items() if count)
    yield ""
    yield f"{len(ended)} trials of {seeds} seed{'s' * (seeds > 1)}{f'; {said}' if said else ''}."


def _shown(value: Any) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
    return cell(text)
