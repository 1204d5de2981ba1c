"""Two processes prune and watch as one does."""

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from test_ddp import ROOT, RUN
from torch.testing import assert_close

pytestmark = pytest.mark.slow  # starts processes that start processes

PRUNED = [*RUN, "pruning=magnitude", "pruning.every=2", "pruning.end=0.9", "schedule=constant", "averaging.decay=0.9"]


@pytest.fixture(scope="module")
def one(train_tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    train_tiny(folder, *PRUNED)
    return folder


def by_two(tiny_run: list[str], folder: Path, *overrides: str) -> Path:
    words = [*tiny_run, *PRUNED, *overrides, "trainer=ddp", "trainer.devices=2", f"run_dir={folder}"]
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), *words]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def two(tiny_run, tmp_path_factory) -> Path:
    return by_two(tiny_run, tmp_path_factory.mktemp("parent") / "two")


def last(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def masks(folder: Path) -> dict[str, torch.Tensor]:
    (found,) = [state["masks"] for state in last(folder)["callbacks"].values() if "masks" in state]
    return found


def rows(folder: Path, start: str) -> list[dict[str, float]]:
    with (folder / "metrics" / "metrics.csv").open(newline="") as file:
        found = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
    kept = ({name: value for name, value in row.items() if name.startswith(start)} for row in found)
    return [row for row in kept if row]


def test_masks_weights_and_averages_are_those_of_one_process(one, two):
    assert masks(one).keys() == masks(two).keys()
    assert all(torch.equal(mask, masks(two)[name]) for name, mask in masks(one).items())
    assert 1 - sum(int(mask.sum()) for mask in masks(two).values()) / sum(map(torch.numel, masks(two).values())) > 0.7
    for kind in ("state_dict", "weights"):
        assert_close(last(two)[kind], last(one)[kind], rtol=0, atol=1e-5)


def test_vital_signs_are_those_of_one_process_and_told_once(one, two):
    assert rows(one, "vital_signs/")
    assert_close(rows(two, "vital_signs/"), rows(one, "vital_signs/"), rtol=0, atol=1e-3)
