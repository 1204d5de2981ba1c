"""The table that a sweep of training ends in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from seq2seq.config.sweep import Job
from seq2seq.runs.leaderboard import Row, leaderboard


@dataclass(frozen=True)
class EndedJob:
    """A job that has trained: the score on dev that it was watched by, and its seconds of training."""

    job: Job
    score: float
    seconds: float


@dataclass
class Sweep:
    """Jobs that have trained in this process, and the score on dev, more of it better or less, that compares them."""

    metric: str
    higher: bool
    ended: list[EndedJob] = field(default_factory=list)

    def note(self, ended: EndedJob) -> None:
        """Keep what came of a job."""
        self.ended.append(ended)

    def table(self) -> Iterator[str]:
        """Lines of a Markdown table, the best settings first; jobs that differ in their seed alone are one row."""
        rows = self.rows()
        seeds = max(len(row.scores) for row in rows)
        return leaderboard(rows, self.metric, higher=self.higher, seeds=seeds)

    def rows(self) -> Sequence[Row]:
        """A row for each of the settings, with the score of each seed, numbered like the first job."""
        groups: dict[tuple[str, ...], list[EndedJob]] = {}
        for ended in self.ended:
            settings = tuple(text for text in ended.job.overrides if not text.startswith("seed="))
            groups.setdefault(settings, []).append(ended)
        return [_row(settings, jobs) for settings, jobs in groups.items()]


def _row(settings: Sequence[str], jobs: Sequence[EndedJob]) -> Row:
    return Row(
        jobs[0].job.number,
        dict(text.split("=", 1) for text in settings),
        [one.score for one in jobs],
        "complete",
        sum(one.seconds for one in jobs),
    )
