"""Mistakes in a config that can be known before data take their time."""

from pathlib import Path
from typing import Any

from seq2seq.commands.module import refuse_unfit
from seq2seq.commands.trainer import build_trainer, quieten
from seq2seq.config.builder import build
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.automatic import AUTO
from seq2seq.runs.evaluation import build_scores
from seq2seq.runs.possible import checked, possible_model


def refuse_mistakes(config: dict[str, Any], folder: Path, start: Seq2Seq | None = None) -> None:
    """Raise UserError at what is wrong whatever the data are; `start` is the model that training starts from."""
    quieten()
    possible = checked(config)
    refuse_unfit(config, start or possible_model(possible))
    if config["metrics"] != AUTO:
        check_monitor(possible)
    build(possible["budget"], "budget")
    build_trainer(possible, folder)


def check_monitor(config: dict[str, Any]) -> None:
    """Check that the metric to monitor is one that validation computes.

    Lightning would miss it at the first validation only. Raises UserError if it is not.
    """
    known, metric = ["dev/loss"], config["monitor"]["metric"]
    for scores in build_scores(config).values():
        scores.update(["a"], [["a"]])
        known += [f"dev/{name}" for name in scores.compute()]
    if metric not in known:
        raise UserError(f"monitor.metric must be one of {', '.join(known)}, but is {metric!r}.")
