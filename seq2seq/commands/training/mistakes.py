"""Mistakes in a config that can be known before data take their time."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from seq2seq.commands.building.module import build_average, check_optimizer, refuse_unfit
from seq2seq.commands.building.trainer import build_trainer, quieten
from seq2seq.commands.training.rollback import check_divergence
from seq2seq.config.builder import build
from seq2seq.config.invocation import choice_of
from seq2seq.config.places import CONF
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.automatic import every_metric
from seq2seq.runs.evaluation import build_scores
from seq2seq.runs.model_kinds import AUTO
from seq2seq.runs.possible import checked, possible_model
from seq2seq.runs.rules import Option

_WATCHING = ("schedule", "averaging")


def refuse_mistakes(config: dict[str, Any], folder: Path, start: Seq2Seq | None = None) -> None:
    """Raise UserError at what is wrong whatever the data are; `start` is the model that training starts from."""
    quieten()
    possible = checked(config)
    refuse_unfit(config, start or possible_model(possible, config))
    if config["metrics"] != AUTO:
        check_monitor(possible)
    elif any(metric != AUTO for metric in _watched(config).values()):
        check_monitor({**possible, "metrics": every_metric()})
    build(possible["budget"], "budget")
    build_average(possible, nn.Module())
    check_optimizer(possible)
    check_divergence(possible, build_trainer(possible, folder).world_size)


def check_monitor(config: dict[str, Any]) -> None:
    """Check that what is monitored on dev is among what validation computes.

    Lightning would miss it at the first validation only. Callbacks may watch what training logs, too, whose names hang
    on options. Raises UserError if it is not.
    """
    known = ["dev/loss", *_of_metrics(config)]
    for name, metric in _watched(config).items():
        of_callback = name.startswith("callbacks.")
        if metric not in known and not (of_callback and re.match("(?!dev/).+/", metric)):
            logged = ["or what training logs, such as train/loss"] if of_callback else []
            offered = ", ".join(dict.fromkeys(known + logged))
            raise UserError(f"{name} must be one of {offered}, but is {metric!r}{_metrics_that_give(metric)}.")


def _of_metrics(config: dict[str, Any]) -> list[str]:
    """Names of what the metrics of a config give on dev."""
    every = [scores.scores(np.zeros((1, len(scores.totals)))) for scores in build_scores(config).values()]
    return [f"dev/{name}" for scores in every for name in scores]


def _metrics_that_give(metric: Any) -> str:
    """The end of a sentence on a number: options of metrics that give it; nothing where none does."""
    names = sorted(path.stem for path in (CONF / "metrics").glob("*.yaml") if path.stem != AUTO)
    found = {name: _of_metrics({"metrics": Option("metrics", name).node()}) for name in names}
    owners = [choice_of("metrics", name) for name, known in found.items() if metric in known]
    return f", which {' or '.join(owners)} gives" if owners else ""


def _watched(config: dict[str, Any]) -> dict[str, Any]:
    """Names of the numbers that parts of a config watch, by option; callbacks of one's own may watch anything."""
    found = {"monitor.metric": config["monitor"]["metric"]}
    parts = {part: config[part] or {} for part in _WATCHING}
    for name, node in (config["callbacks"] or {}).items():
        if isinstance(node, dict) and str(node.get("_target_")).startswith("seq2seq."):
            parts[f"callbacks.{name}"] = node
    return found | {f"{name}.monitor": node["monitor"] for name, node in parts.items() if node.get("monitor")}
