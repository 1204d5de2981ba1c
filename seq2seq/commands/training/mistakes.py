"""Mistakes in a config that can be known before data take their time."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from seq2seq.commands.building.module import build_average, check_optimizer, refuse_unfit
from seq2seq.commands.building.trainer import build_trainer, quieten
from seq2seq.commands.training.rollback import check_divergence
from seq2seq.config.builder import build
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.evaluation import build_scores
from seq2seq.runs.model_kinds import AUTO
from seq2seq.runs.possible import checked, possible_model

_WATCHING = ("schedule", "averaging")


def refuse_mistakes(config: dict[str, Any], folder: Path, start: Seq2Seq | None = None) -> None:
    """Raise UserError at what is wrong whatever the data are; `start` is the model that training starts from."""
    quieten()
    possible = checked(config)
    refuse_unfit(config, start or possible_model(possible, config))
    if config["metrics"] != AUTO:
        check_monitor(possible)
    build(possible["budget"], "budget")
    build_average(possible, nn.Module())
    check_optimizer(possible)
    check_divergence(possible, build_trainer(possible, folder).world_size)


def check_monitor(config: dict[str, Any]) -> None:
    """Check that metrics to monitor are ones that validation computes.

    Lightning would miss it at the first validation only. Raises UserError if it is not.
    """
    known = ["dev/loss"]
    for scores in build_scores(config).values():
        known += [f"dev/{name}" for name in scores.scores(np.zeros((1, len(scores.totals))))]
    watched = {"monitor.metric": config["monitor"]["metric"]}
    watched |= {f"{part}.monitor": config[part]["monitor"] for part in _WATCHING if config[part].get("monitor")}
    for name, metric in watched.items():
        if metric not in known:
            raise UserError(f"{name} must be one of {', '.join(known)}, but is {metric!r}.")
