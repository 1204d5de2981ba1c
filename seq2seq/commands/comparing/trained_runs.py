"""Runs of a contender: each a process of scripts/train.py, unless it is done already."""

import csv
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from seq2seq.commands.comparing.contender import Contender
from seq2seq.commands.searching.trials import last_words
from seq2seq.commands.training.starter import attended
from seq2seq.config.places import CONF
from seq2seq.errors import UserError
from seq2seq.runs.choice_table import ScoredChoice
from seq2seq.runs.record import read_record
from seq2seq.whole_file import write_whole

_SPEED = "train/target_tokens_per_second"


@dataclass(frozen=True)
class TrainedRun:
    """The rows that a run logged, its seconds of training and, where it counted them, its steps."""

    logged: list[dict[str, str]]
    seconds: float
    counted: int | None = None

    def column(self, name: str) -> list[float]:
        """Values that were logged under a name, in order."""
        return [float(row[name]) for row in self.logged if row.get(name)]

    def steps(self, metric: str) -> int:
        """The number of steps; where the record tells none, as those of old runs, by the last row with the metric."""
        if self.counted is not None:
            return self.counted
        return max(int(row["step"]) for row in self.logged if row.get(metric)) + 1


def train_seeds(contender: Contender, folder: Path, seeds: int) -> list[TrainedRun]:
    """The runs of a contender, one a seed, each in a folder of its own."""
    own = folder / re.sub(r"[^\w.-]+", ".", contender.name)
    if seeds == 1:
        return [train_contender(contender, own)]
    seeded = (replace(contender, overrides=[*contender.overrides, f"seed={seed}"]) for seed in range(1, seeds + 1))
    return [train_contender(one, own.with_name(f"{own.name}.seed_{seed}")) for seed, one in enumerate(seeded, 1)]


def train_contender(contender: Contender, folder: Path) -> TrainedRun:
    """Train a contender, unless its run is done, and return what it left; one that did not end goes on.

    Raises UserError if it failed, with its last line, or if another run is there.
    """
    command = ["scripts/train.py", *contender.command, "logger=csv"]
    asked, done = " ".join(command) + "\n", (folder / "metrics.json").is_file()
    if (done or (folder.is_dir() and any(folder.iterdir()))) and _asked_before(folder) != asked:
        if done:
            raise UserError(f"{folder} holds a run of other overrides: choose another folder=, or remove it.")
        raise UserError(f"{folder} holds a run that did not end: remove it to train {contender.name} again.")
    if not done:
        write_whole(_record(folder), asked.encode())
        begun = any((folder / "checkpoints").glob("*.ckpt"))
        _train(contender, folder, ["resume=true"] if begun else command[1:])
    metrics = read_record(folder / "metrics.json", training_seconds=(int, float))
    return TrainedRun(_rows(folder / "metrics" / "metrics.csv"), metrics["training_seconds"], _counted(metrics))


def _counted(record: Mapping[str, Any]) -> int | None:
    """The steps that a record tells of, by name or with what they cost; None where it tells of none."""
    cost = record.get("cost")
    counted = record.get("last_step", cost.get("steps") if isinstance(cost, dict) else None)
    return counted if isinstance(counted, int) else None


def _record(folder: Path) -> Path:
    """The file with the command of a run, beside its folder, which has to be empty as it begins."""
    return folder.with_name(f"{folder.name}.command.txt")


def _asked_before(folder: Path) -> str | None:
    """The command that a run was begun with; None where none was kept. Those of before 0.2 kept it once they ended."""
    found = next((path for path in (_record(folder), folder / "command.txt") if path.is_file()), None)
    return None if found is None else found.read_text(encoding="utf-8", errors="replace")


def _train(contender: Contender, folder: Path, words: Sequence[str]) -> None:
    """Run scripts/train.py into a folder. Raises UserError with its last line if it fails."""
    run = [sys.executable, str(CONF.parent / "scripts" / "train.py"), *words, f"run_dir={folder}"]
    result = subprocess.run(run, capture_output=True, text=True, check=False, env=os.environ | attended())
    if result.returncode != 0:
        last = last_words(result.returncode, result.stderr)
        raise UserError(f"{contender.name} could not be trained into {folder}: {last}")


def _rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table of numbers. Raises UserError at one that is missing, or damaged."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{name: value for name, value in row.items() if value} for row in csv.DictReader(file, strict=True)]
        for row in rows:
            _ = int(row["step"]), [float(value) for value in row.values()]
    except (ValueError, KeyError, TypeError, csv.Error):
        raise UserError(f"{path} is damaged: it is no table of numbers by step. Remove {path.parent.parent}.") from None
    return rows


def scored(
    contender: Contender, runs: Sequence[TrainedRun], metric: str, best: Callable[..., float], along: Any = None
) -> ScoredChoice:
    """Scores of a contender: the best dev score of each run, the median speed, the steps of the longest."""
    if not all(run.column(metric) for run in runs):
        raise UserError(f"{contender.name} must have logged {metric}, but one of its runs has not: remove its folder.")
    speeds = [speed for run in runs for speed in run.column(_SPEED)]
    return ScoredChoice(
        contender.name,
        (contender.encoder_size, contender.decoder_size),
        contender.parameters,
        [best(run.column(metric)) for run in runs],
        [run.seconds for run in runs],
        steps=max(run.steps(metric) for run in runs),
        speed=median(speeds) if speeds else None,
        along=along,
    )
