"""Trials of a search: each a process of scripts/train.py, watched while it trains."""

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.commands.training.starter import attended
from seq2seq.config.places import SCRIPTS
from seq2seq.errors import UserError
from seq2seq.runs.record import read_record

_SECONDS = 1.0  # between two looks at a run
_GRACE = 30.0  # seconds for a run to end when it is asked to


class PrunedError(Exception):
    """A trial that was stopped as it did worse than the others."""


@dataclass(frozen=True)
class TrialOutcome:
    """Dev score of a run at its end, its steps and its seconds of training."""

    score: float
    step: int
    seconds: float


@dataclass(frozen=True)
class Watched:
    """Name of the dev score that a trial is watched by, and what is told it at every step and says whether to stop."""

    metric: str
    stops: Callable[[int, float], bool]


def train_trial(overrides: Sequence[str], folder: Path, watched: Watched, *, threads: int) -> TrialOutcome:
    """Train in a process and return what came out. A folder that is there is another study's, and is moved aside.

    The process has so many threads, unless OMP_NUM_THREADS says another number.
    Raises PrunedError where it was stopped early, and UserError with the last line of a run that failed.
    """
    if folder.exists():
        folder.rename(_free(folder))
    line = [sys.executable, str(SCRIPTS / "train.py"), *overrides, "logger=csv", f"run_dir={folder}"]
    environment = {"OMP_NUM_THREADS": str(threads), **os.environ, **attended()}
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        _watch(process, folder, watched)
    except BaseException:
        _end(process)
        raise
    record = read_record(folder / "metrics.json")
    scores = record.get("dev", record)["scores"]
    return TrialOutcome(float(scores[watched.metric]), record["step"], record["training_seconds"])


def _watch(process: subprocess.Popen, folder: Path, watched: Watched) -> None:
    seen = 0
    while True:
        try:
            _, said = process.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            said = ""
        for step, value in list(dev_scores(folder, watched.metric))[seen:]:
            seen += 1
            if watched.stops(step, value) and process.poll() is None:
                raise PrunedError
        if process.poll() is not None:
            break
    if process.returncode != 0:
        raise UserError(last_words(process.returncode, said))


def last_words(code: int, said: str) -> str:
    """The last line of a process that failed, or the signal that it was killed by."""
    if code < 0:
        name = signal.Signals(-code).name
        return f"killed by {name}{', often for want of memory' if name == 'SIGKILL' else ''}"
    return (said.strip() or f"exit code {code}").splitlines()[-1].removeprefix("error: ")


def dev_scores(folder: Path, metric: str) -> Iterator[tuple[int, float]]:
    """Steps and dev scores that a run has logged so far."""
    path = folder / "metrics" / "metrics.csv"
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for row in csv.DictReader(line for line in lines if line.endswith("\n")):  # the last may be under way
        if row.get(f"dev/{metric}"):
            yield int(row["step"]) + 1, float(row[f"dev/{metric}"])


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.communicate(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _free(folder: Path) -> Path:
    number = 1
    while (other := folder.with_name(f"{folder.name}.before_{number}")).exists():
        number += 1
    return other
