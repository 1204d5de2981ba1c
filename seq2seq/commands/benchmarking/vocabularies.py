"""Measure what outputs cost at sizes of the target vocabulary, as a config says."""

from typing import Any

import torch
from omegaconf import DictConfig

from seq2seq.commands.benchmarking.few_steps import conditions
from seq2seq.commands.building.trainer import choose_threads
from seq2seq.config.builder import build, told_at
from seq2seq.config.contract import check, check_counts, check_seed, resolve
from seq2seq.errors import UserError
from seq2seq.runs.automatic import nominal
from seq2seq.runs.summary import print_vocabularies
from seq2seq.training.averaging import WeightAverage
from seq2seq.training.schedules import ConstantSchedule
from seq2seq.training.speed import Conditions
from seq2seq.training.step import TrainingStep
from seq2seq.training.vocabulary_cost import random_batch, step_cost

_SOURCES = 1000  # tokens of the source vocabulary


def benchmark_vocabularies(config: DictConfig) -> dict[str, Any]:
    """Train a model with each output at each size of vocabulary for a few steps and return the report, with a row each.

    Raises UserError at a mistake in the config.
    """
    plain = nominal(resolve(config))
    check(plain)
    check_counts(plain, rounds=1, warmup=0, sentences=1, length=2)
    check_seed(plain)
    if not plain["kinds"] or not plain["sizes"]:
        raise UserError("kinds and sizes must hold at least one each: keep some of those in conf/mode/vocabulary.yaml.")
    where = conditions(plain)
    rows = [_row(plain, name, size, where) for size in plain["sizes"] for name in plain["kinds"]]
    print_vocabularies(rows)
    return {
        "mode": "vocabulary",
        "target_tokens": plain["sentences"] * plain["length"],
        "precision": where.precision,
        "threads": torch.get_num_threads(),
        "rows": rows,
    }


def _row(plain: dict[str, Any], name: str, size: Any, where: Conditions) -> dict[str, Any]:
    """The cost of one output at one size."""
    check_counts({"sizes": size}, sizes=8)
    torch.manual_seed(plain["seed"])
    node = {**plain["model"], "output": plain["kinds"][name]}
    model = build(node, "model")(source_vocabulary_size=_SOURCES, target_vocabulary_size=size)
    choose_threads(plain, model, where.device, where.precision)
    counts = {count: plain[count] for count in ("sentences", "length", "seed")}
    batch = random_batch(sources=_SOURCES, targets=size, **counts)
    objective = build(plain["objective"], "objective")
    with told_at("objective", type(objective)):
        objective.check(model)
    for part in (objective, model.output):
        part.prepare(torch.bincount(batch.target_outputs.flatten(), minlength=size))
    step = TrainingStep(
        model=model,
        objective=objective,
        optimizer=build(plain["optimizer"], "optimizer"),
        schedule=ConstantSchedule(warmup_steps=0),
        scheduled_sampling=None,
        gradients=None,
        average=WeightAverage(model, 0.9),
        seed=plain["seed"],
    )
    found = step_cost(step, batch, where, rounds=plain["rounds"], warmup=plain["warmup"])
    return {"vocabulary": size, "output": name, **found}
