"""Threads of torch that wait for each other: in their sleep soon, unless the user has said how."""

import ast
import os
import subprocess
import sys

import pytest

from seq2seq.config.places import SCRIPTS

_PRINT = "import os, sys, seq2seq; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"


@pytest.mark.parametrize(
    ("set_by_the_user", "spins"),
    [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_spins_are_few_before_torch_is_loaded_unless_the_user_says_otherwise(set_by_the_user, spins):
    mine = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    run = subprocess.run(
        [sys.executable, "-c", _PRINT], env=mine | set_by_the_user, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == [spins, "False"]


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.stem)
def test_scripts_load_torch_by_this_package_alone(script):
    parts = [node for node in ast.walk(ast.parse(script.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for part in parts if isinstance(part, ast.Import) for alias in part.names}
    names |= {part.module for part in parts if isinstance(part, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= {"hydra", "omegaconf", "seq2seq", "sys"}
