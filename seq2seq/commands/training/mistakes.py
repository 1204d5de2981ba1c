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
from seq2seq.runs.automatic import with_every_metric
from seq2seq.runs.evaluation import build_scores
from seq2seq.runs.model_kinds import AUTO
from seq2seq.runs.possible import checked, possible_model
from seq2seq.training.logged import LOGGED

_WATCHING = ("schedule", "averaging")


def refuse_mistakes(config: dict[str, Any], folder: Path, start: Seq2Seq | None = None) -> None:
    """Raise UserError at what is wrong whatever the data are; `start` is the model that training starts from."""
    quieten()
    possible = checked(config)
    refuse_unfit(config, start or possible_model(possible, config))
    check_monitor(possible if config["metrics"] != AUTO else with_every_metric(config))
    build(possible["budget"], "budget")
    build_average(possible, nn.Module())
    check_optimizer(possible)
    check_divergence(possible, build_trainer(possible, folder).world_size)


def check_monitor(config: dict[str, Any]) -> None:
    """Check that what is monitored is among what validation computes; callbacks may watch what training logs, too.

    Lightning would miss it at the first validation only. Raises UserError if it is not.
    """
    known = ["dev/loss"]
    for scores in build_scores(config).values():
        known += [f"dev/{name}" for name in scores.scores(np.zeros((1, len(scores.totals))))]
    for name, metric in _watched(config).items():
        possible = [*known, *LOGGED] if name.startswith("callbacks.") else known
        if metric not in (*possible, AUTO):
            raise UserError(f"{name} must be one of {', '.join(dict.fromkeys(possible))}, but is {metric!r}.")


def _watched(config: dict[str, Any]) -> dict[str, Any]:
    """Names of the numbers that parts of a config watch, by option; callbacks of one's own may watch anything."""
    parts = {part: config[part] for part in ("monitor", *_WATCHING)}
    for name, node in config["callbacks"].items():
        if isinstance(node, dict) and str(node.get("_target_")).startswith("seq2seq."):
            parts[f"callbacks.{name}"] = node
    watched = {f"{name}.monitor": (node or {}).get("monitor") for name, node in parts.items() if name != "monitor"}
    found = {"monitor.metric": config["monitor"]["metric"], **watched}
    return {name: metric for name, metric in found.items() if metric}
