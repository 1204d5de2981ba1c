"""Train choices of a config one after the other, at equal parameters and an equal budget, and make a table of them."""

import csv
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

from omegaconf import DictConfig

from seq2seq.commands.attendance import attended
from seq2seq.commands.foresight import refuse_mistakes
from seq2seq.commands.trials import last_words
from seq2seq.config.choices import read_choices
from seq2seq.config.contract import check_counts, composed
from seq2seq.config.job import chosen_option, given_overrides
from seq2seq.config.places import CONF
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError
from seq2seq.models.blank import blank
from seq2seq.models.sizes import fitted_size, parameter_count
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.leaderboard import Row, leaderboard
from seq2seq.runs.record import read_record
from seq2seq.runs.run import build_model, train_tokenizers
from seq2seq.runs.settling import settle, settled_like
from seq2seq.whole_file import write_whole

logger = logging.getLogger(__name__)

_OWN = ("folder", "groups", "options", "choices", "seeds")
_GROUPS = ("model/cell", "model/attention")


@dataclass(frozen=True)
class Contender:
    """A model to train: its overrides, and the sizes that give it as many parameters as the others."""

    name: str
    overrides: list[str]
    encoder_size: int
    decoder_size: int
    parameters: int

    @property
    def command(self) -> list[str]:
        """Overrides that train the contender, those of its sizes last."""
        sizes = [f"model.encoder.hidden_size={self.encoder_size}", f"model.decoder.hidden_size={self.decoder_size}"]
        return [*self.overrides, *sizes]


def compare_choices(config: DictConfig) -> Iterator[str]:
    """Lines of a Markdown table, a row as each choice is done, and of the leaderboard of all.

    Runs that are done are read, not trained again; the leaderboard is written beside them, too.
    """
    check_counts({"seeds": config["seeds"]}, seeds=1)
    shared = _shared_overrides()
    configured = composed("train", shared)
    _refuse_pipes(configured["data"])
    choices = _choices(config)
    plains = {name: composed("train", [*shared, *own]) for name, own in choices.items()}
    for plain in (configured, *plains.values()):
        refuse_mistakes(plain, Path(config["folder"]))
    configured, tokenizers = settle(configured, splits := load_splits(configured), train_tokenizers)
    plains = {name: settled_like(plain, splits, tokenizers) for name, plain in plains.items()}
    metric, mode = configured["monitor"]["metric"], configured["monitor"]["mode"]
    wanted = count_parameters(configured, tokenizers)
    yield f"| choice | hidden sizes | parameters | target tokens/s | steps | {metric} |"
    yield "|---|---|---|---|---|---|"
    best, rows = max if mode == "max" else min, []
    for number, (name, plain) in enumerate(plains.items()):
        contender = fit_sizes(name, [*shared, *choices[name]], plain, tokenizers, wanted)
        logger.info(
            "%d of %d: %s, %s", number + 1, len(plains), name, _left(plain, (len(plains) - number) * config["seeds"])
        )
        runs = _trained(contender, Path(config["folder"]), config["seeds"])
        yield _row(contender, runs, metric, best=best)
        rows.append(_place(number, choices[name], runs, metric, best=best))
    yield from _finish(rows, Path(config["folder"]), metric, higher=mode == "max", seeds=config["seeds"])


def _finish(rows: Sequence[Row], folder: Path, metric: str, *, higher: bool, seeds: int) -> Iterator[str]:
    lines = list(leaderboard(rows, metric.removeprefix("dev/"), higher=higher, seeds=seeds))
    write_whole(folder / "leaderboard.md", ("\n".join(lines) + "\n").encode())
    yield from ["", *lines]


def count_parameters(plain: dict[str, Any], tokenizers: Tokenizers) -> int:
    """The number of parameters of the model that a config describes, which is not built for real."""
    with blank("meta"):
        return parameter_count(build_model(plain, tokenizers))


def fit_sizes(
    name: str, overrides: Sequence[str], plain: dict[str, Any], tokenizers: Tokenizers, wanted: int
) -> Contender:
    """The contender with the hidden sizes, in the config's own ratio, whose parameters are nearest to those wanted."""
    encoder, decoder = (plain["model"][side] for side in ("encoder", "decoder"))
    ratio = decoder["hidden_size"] / encoder["hidden_size"]

    def parameters(size: int) -> int:
        encoder["hidden_size"], decoder["hidden_size"] = size, round(ratio * size)
        return count_parameters(plain, tokenizers)

    size = fitted_size(parameters, wanted)
    return Contender(name, list(overrides), size, round(ratio * size), parameters(size))


def _refuse_pipes(data: dict[str, Any]) -> None:
    """Raise UserError at a split that can be read only once, as every run reads it anew."""
    for name in ("train", "dev", "test"):
        if isinstance(path := data.get(name), str) and Path(path).is_fifo():
            raise UserError(
                f"data.{name} must be a file, as every run reads it, but {path} is a pipe: write it to one."
            )


def _choices(config: DictConfig) -> dict[str, list[str]]:
    """Overrides of the choices, by name. Raises UserError where there are none, or two kinds of them."""
    if config["choices"] is None:
        return {name: [name] for name in _names(config["groups"] or _GROUPS, config["options"])}
    if config["groups"] is not None or config["options"] is not None:
        raise UserError("choices must be given without groups and options: leave the one or the others out.")
    return read_choices(config["choices"])


def _names(groups: Sequence[str], only: Sequence[str] | None) -> list[str]:
    """Overrides, one for each option of the groups. Raises UserError where there is none."""
    names = []
    for group in groups:
        if not (options := sorted(path.stem for path in (CONF / group).glob("*.yaml"))):
            raise UserError(f"groups must name groups of conf/, but there is no {group!r}: for example model/cell.")
        names += [f"{group}={option}" for option in options if only is None or option in only]
    unknown = ", ".join(sorted(set(only or ()) - {name.partition("=")[2] for name in names}))
    if unknown or not names:
        raise UserError(
            f"options must be options of {', '.join(groups) or 'some group'}, but {unknown or 'nothing'} is not: "
            "leave them out for all."
        )
    return names


def _shared_overrides() -> list[str]:
    """Overrides of all contenders: the experiment, and the user's on top of it."""
    given = [text for text in given_overrides() if text.partition("=")[0] not in (*_OWN, "experiment")]
    return [f"experiment={chosen_option('experiment')}", *given]


def _left(plain: dict[str, Any], runs: int) -> str:
    steps, minutes = plain["budget"]["max_steps"], plain["budget"]["max_minutes"]
    return f"{steps} steps each" if minutes is None else f"{minutes * runs:.0f} minutes of training left"


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
        """The number of steps; where `callbacks.cost` did not count them, by the row of the last validation."""
        if self.counted is not None:
            return self.counted
        return max(int(row["step"]) for row in self.logged if row.get(metric)) + 1


def _trained(contender: Contender, folder: Path, seeds: int) -> list[TrainedRun]:
    """The runs of a contender, one a seed."""
    own = folder / re.sub(r"[^\w.-]+", ".", contender.name)
    if seeds == 1:
        return [_train(contender, own)]
    seeded = (replace(contender, overrides=[*contender.overrides, f"seed={seed}"]) for seed in range(1, seeds + 1))
    return [_train(one, own.with_name(f"{own.name}.seed_{seed}")) for seed, one in enumerate(seeded, 1)]


def _train(contender: Contender, folder: Path) -> TrainedRun:
    """Train a contender, unless its run is done, and return what it left.

    Raises UserError if it failed, with its last line, or if another run is there.
    """
    command = ["scripts/train.py", *contender.command, "logger=csv"]
    record, asked = folder / "command.txt", " ".join(command) + "\n"
    if (folder / "metrics.json").is_file():
        if not record.is_file() or record.read_text(encoding="utf-8") != asked:
            raise UserError(f"{folder} holds a run of other overrides: choose another folder=, or remove it.")
    elif folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} holds a run that did not end: remove it to train {contender.name} again.")
    else:
        run = [sys.executable, str(CONF.parent / command[0]), *command[1:], f"run_dir={folder}"]
        environment = os.environ | attended()
        result = subprocess.run(run, capture_output=True, text=True, check=False, env=environment)
        if result.returncode != 0:
            last = last_words(result.returncode, result.stderr)
            raise UserError(f"{contender.name} could not be trained into {folder}: {last}")
        write_whole(record, asked.encode())
    with (folder / "metrics" / "metrics.csv").open(encoding="utf-8", newline="") as file:
        logged = list(csv.DictReader(file))
    metrics = read_record(folder / "metrics.json", training_seconds=(int, float))
    return TrainedRun(logged, metrics["training_seconds"], metrics.get("cost", {}).get("steps"))


def _row(contender: Contender, runs: Sequence[TrainedRun], metric: str, *, best: Any) -> str:
    """The row of a choice: the median speed of its runs, the steps of the longest, and their mean score."""
    speeds = [speed for run in runs for speed in run.column("train/target_tokens_per_second")]
    sizes = f"{contender.encoder_size}, {contender.decoder_size}"
    steps = max(run.steps(metric) for run in runs)
    speed = f"{median(speeds):,.0f}" if speeds else "not logged"
    score = mean(best(run.column(metric)) for run in runs)
    return f"| {contender.name} | {sizes} | {contender.parameters:,} | {speed} | {steps:,} | {score:.2f} |"


def _place(number: int, overrides: Sequence[str], runs: Sequence[TrainedRun], metric: str, *, best: Any) -> Row:
    """The row of a choice in the leaderboard."""
    settings = dict(text.split("=", 1) for text in overrides)
    scores, seconds = [best(run.column(metric)) for run in runs], sum(run.seconds for run in runs)
    return Row(number, settings, scores, "complete", seconds)
