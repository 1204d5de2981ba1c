"""Two processes train as one does."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from seq2seq.config.builder import build

pytestmark = pytest.mark.slow  # starts processes that start processes

ROOT = Path(__file__).parents[2]
# Sixteen training rows in batches of five, so three odd ones and one of a single row; dev is five rows and one.
RUN = [
    "data.train_size=16",
    "data.dev_size=6",
    "data.test_size=4",
    "batches.max_tokens=1000",
    "batches.max_sentences=5",
    "metrics=pronunciation",
    "model.dropout=0.0",
    "optimizer.lr=0.02",
    # Adam divides by a gradient's own size; below eps, rounding is not blown up to whole steps.
    "optimizer.eps=1e-3",
    "budget.max_steps=7",
    "trainer.val_check_interval=2",
    "logger=csv",
]


@pytest.fixture(scope="module")
def one(train_tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    train_tiny(folder, *RUN)
    return folder


@pytest.fixture(scope="module")
def two(tiny_run, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("parent") / "two"
    overrides = [*tiny_run, *RUN, "trainer=ddp", "trainer.devices=2", f"run_dir={folder}"]
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), *overrides]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("best checkpoint:") == 1
    return folder


def checkpoint(folder: Path, name: str) -> dict[str, Any]:
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def test_batches_are_odd_and_one_has_a_single_row(tiny_config):
    config = tiny_config(*RUN)
    splits = build(config["data"], "").load()
    tokenizers = build(config["tokenizer"], "").train(splits.train)
    data = build(config["batches"], "")(splits=splits, tokenizers=tokenizers)
    assert sorted(map(len, data.train_plan.epoch(0))) == [1, 5, 5, 5]
    assert sorted(map(len, data.dev_plan.epoch(0))) == [1, 5]


def test_raw_and_averaged_weights_are_those_of_one_process(one, two):
    left, right = checkpoint(one, "last"), checkpoint(two, "last")
    assert left["global_step"] == right["global_step"] == 7
    assert left["average_updates"] == right["average_updates"]
    for kind in ("state_dict", "weights"):
        # Sums of gradients in another order: rounding, times lr / eps = 20 a step.
        assert_close(right[kind], left[kind], rtol=0, atol=1e-5)


def test_training_moved_the_weights(one):
    assert checkpoint(one, "last")["state_dict"]["model.output.bias"].abs().max() > 1e-2  # it starts at 0


def test_every_logged_metric_is_that_of_one_process(one, two):
    left, right = logged(one), logged(two)
    names = ["dev/loss", "dev/wer", "dev/per", "train/learning_rate", "train/gradient_norm", "step"]
    assert len(left["dev/loss"]) == 4  # steps 2, 4, 6, 7
    for name in names:
        assert left[name] == pytest.approx(right[name], rel=1e-4), name


def test_the_final_scores_are_those_of_one_process(one, two):
    left, right = (json.loads((folder / "metrics.json").read_text()) for folder in (one, two))
    assert left["scores"] == pytest.approx(right["scores"])
    assert left["step"] == right["step"]


def logged(folder: Path) -> dict[str, list[float]]:
    """Every column of the log, without its gaps."""
    with (folder / "metrics" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows if row[name]] for name in rows[0]}
