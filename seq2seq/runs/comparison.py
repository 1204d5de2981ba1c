"""Comparison of runs that are scored on the same examples, and what chance could make of their differences."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from glob import glob, has_magic
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from seq2seq.data.examples import Example
from seq2seq.errors import UserError
from seq2seq.metrics.scores import Scores
from seq2seq.metrics.significance import Difference, Draws, differences
from seq2seq.runs.evaluation import Evaluation, load_examples
from seq2seq.runs.run import DecodingRun


@dataclass(frozen=True)
class Comparison:
    """Scores of runs, by path, and how far every run after the first is above the first."""

    paths: Sequence[str]
    steps: Sequence[int]
    evaluations: Sequence[Evaluation]
    differences: Sequence[Mapping[str, Difference]]

    def report(self) -> dict[str, Any]:
        """The record that evaluate prints, in types of JSON: runs, mean and deviation over them, differences."""
        runs = [
            {"run": path, **evaluation.report(), "step": step}
            for path, evaluation, step in zip(self.paths, self.evaluations, self.steps, strict=True)
        ]
        signatures, sentences = ([run.pop(key) for run in runs][0] for key in ("signatures", "sentences"))
        scores = {name: [found.scores[name] for found in self.evaluations] for name in self.evaluations[0].scores}
        return {
            "signatures": signatures,
            "sentences": sentences,
            "runs": runs,
            "mean": {name: round(mean(values), 4) for name, values in scores.items()},
            "deviation": {name: round(stdev(values), 4) for name, values in scores.items()},
            "differences": [
                {"run": path, "baseline": self.paths[0], "scores": {name: _written(one) for name, one in found.items()}}
                for path, found in zip(self.paths[1:], self.differences, strict=True)
            ],
        }


def find_runs(given: Any) -> list[str]:
    """Paths of runs that are named one by one, or by patterns such as `runs/sweeps/*/*`, in the order of their numbers.

    Raises UserError at a pattern that meets no run, and where there are fewer than two.
    """
    paths: list[str] = []
    for name in map(str, given if isinstance(given, list) else [given]):
        if Path(name).exists() or not has_magic(name):
            paths.append(name)
            continue
        found = [path for path in glob(name) if path.endswith(".ckpt") or (Path(path) / "checkpoints").is_dir()]
        if not found:
            raise UserError(f"run={name} must meet run folders or checkpoints, but meets none: look with ls {name}")
        paths += sorted(found, key=_with_numbers)
    if len(paths) < 2:
        raise UserError(
            f"run must name two runs or more, but names {', '.join(paths) or 'none'}: give run=[A,B], or a "
            "pattern such as run='runs/sweeps/*/*'."
        )
    return paths


def refuse_other_examples(
    paths: Sequence[str], runs: Sequence[DecodingRun], split: str, examples: Sequence[Example]
) -> None:
    """Refuse runs whose own split is not the first run's: what one is tried on, another may have learnt.

    Raises UserError at the first such run.
    """
    for path, run in zip(paths, runs, strict=True):
        if run.config["data"] != runs[0].config["data"] and load_examples(run, None, split)[1] != examples:
            raise UserError(
                f"run must name runs of the same {split} split, but that of {path} is not that of {paths[0]}: give "
                "file=pairs.tsv, which none has learnt from."
            )


def compare(
    paths: Sequence[str],
    steps: Sequence[int],
    evaluations: Sequence[Evaluation],
    metrics: Mapping[str, Scores],
    draws: Draws,
) -> Comparison:
    """The comparison of runs, from their scores by the same metrics on the same examples."""
    first, *others = (evaluation.counts for evaluation in evaluations)
    found: list[dict[str, Difference]] = []
    for counts in others:
        parts = (differences(counts[kind], first[kind], metric.scores, draws) for kind, metric in metrics.items())
        found.append({name: one for part in parts for name, one in part.items()})
    return Comparison(paths, steps, evaluations, found)


def _written(difference: Difference) -> dict[str, Any]:
    """Values in types of JSON, without those that were not drawn; p-values whole, as they are small."""
    values = asdict(difference)
    interval = values["interval"] and [round(end, 4) for end in values["interval"]]
    written = {**values, "difference": round(difference.difference, 4), "interval": interval}
    return {name: value for name, value in written.items() if value is not None}


def _with_numbers(path: str) -> list[str | int]:
    """A key that sorts 10 after 9."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)]
