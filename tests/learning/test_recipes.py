import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPES = sorted(path.stem for path in (ROOT / "conf" / "model").glob("*.yaml") if path.stem != "auto")  # one of these
# What reads from left to right cannot write from right to left, nor can what looks at one place after the other; what
# has no source can do neither.
BEYOND = {("transducer", "reverse"), ("tagger", "reverse"), ("language_model", "copy"), ("language_model", "reverse")}


def test_there_are_recipes():
    assert {"luong", "gnmt", "bahdanau"} <= set(RECIPES)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "task"), [(name, task) for name in RECIPES for task in ("copy", "reverse") if (name, task) not in BEYOND]
)
def test_every_recipe_learns(recipe, task, tmp_path):
    assert learnt(tmp_path, f"data={task}", f"model={recipe}") >= 99


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["sru", "qrnn", "min_gru", "min_lstm"])
def test_two_layers_of_every_cell_without_a_recurrent_matrix_learn_to_reverse(cell, tmp_path):
    layers = ("model.encoder.num_layers=2", "model.decoder.num_layers=2", "model.decoder.connection=residual")
    assert learnt(tmp_path, f"model/cell={cell}", *layers) >= 95


def learnt(tmp_path: Path, *choices: str) -> float:
    """Exact match of a model after a first look at reversals, with other choices."""
    run = tmp_path / "run"
    overrides = ["experiment=reverse", *choices, f"run_dir={run}", "logger=none"]
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), *overrides]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}  # another test runs beside it: more threads than cores wait for ever
    finished = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["split"] == "test"
    return metrics["scores"]["exact_match"]
