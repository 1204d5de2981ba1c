"""Train choices of a config one after the other, at equal parameters and an equal budget, and make a table of them."""

import csv
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from omegaconf import DictConfig

from seq2seq.config.job import chosen_option, composed, given_overrides
from seq2seq.config.places import CONF
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError
from seq2seq.models.sizes import fitted_size, parameter_count
from seq2seq.runs.automatic import settle, settled_like
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.possible import checked
from seq2seq.runs.run import build_model, train_tokenizers

logger = logging.getLogger(__name__)

_OWN = ("folder", "groups", "options")


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
    """Lines of a Markdown table, a row as each run ends; runs that are done are read, not trained again."""
    shared = _shared_overrides()
    configured = composed("train", shared)
    _refuse_pipes(configured["data"])
    plains = {name: composed("train", [*shared, name]) for name in _names(config["groups"], config["options"])}
    for plain in (configured, *plains.values()):
        checked(plain)
    configured, tokenizers = settle(configured, splits := load_splits(configured), train_tokenizers)
    plains = {name: settled_like(plain, splits, tokenizers) for name, plain in plains.items()}
    metric, mode = configured["monitor"]["metric"], configured["monitor"]["mode"]
    wanted = count_parameters(configured, tokenizers)
    yield f"| choice | hidden sizes | parameters | target tokens/s | steps | {metric} |"
    yield "|---|---|---|---|---|---|"
    for number, (name, plain) in enumerate(plains.items(), 1):
        contender = fit_sizes(name, [*shared, name], plain, tokenizers, wanted)
        logger.info("%d of %d: %s, %s", number, len(plains), name, _left(plain, len(plains) - number + 1))
        folder = Path(config["folder"]) / name.replace("/", ".").replace("=", ".")
        yield _row(contender, _train(contender, folder), metric, best=max if mode == "max" else min)


def count_parameters(plain: dict[str, Any], tokenizers: Tokenizers) -> int:
    """The number of parameters of the model that a config describes, which is not built for real."""
    with torch.device("meta"):
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


def _train(contender: Contender, folder: Path) -> list[dict[str, str]]:
    """Train a contender, unless its run is done, and return the rows that the run logged.

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
        result = subprocess.run(run, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            last = (result.stderr.strip() or "no message").splitlines()[-1]
            raise UserError(f"{contender.name} could not be trained into {folder}: {last}")
        record.write_text(asked, encoding="utf-8")
    with (folder / "metrics" / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _row(contender: Contender, logged: list[dict[str, str]], metric: str, *, best: Any) -> str:
    speeds, scores = (_column(logged, name) for name in ("train/target_tokens_per_second", metric))
    sizes = f"{contender.encoder_size}, {contender.decoder_size}"
    steps = max(int(row["step"]) for row in logged if row.get(metric)) + 1
    speed = f"{median(speeds):,.0f}" if speeds else "not logged"
    return f"| {contender.name} | {sizes} | {contender.parameters:,} | {speed} | {steps:,} | {best(scores):.2f} |"


def _column(logged: list[dict[str, str]], name: str) -> list[float]:
    return [float(row[name]) for row in logged if row.get(name)]
