"""A user's file is checked against our types, strictly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = """
import seq2seq

run: seq2seq.Run = seq2seq.train([("a", "b")], dev={"a": ["b", "c"]}, seed=2, model={"dropout": 0.2})
one: str = run.translate("a")
several: list[str] = run.translate(["a", "b"])
score: float = run.translate("a", n_best=2, decoding="beam")[0].hypothesis.score
scores: dict[str, float] = run.fine_tune([("a", "c")]).evaluate().scores
size: int = seq2seq.nn.LSTMCell(3, 4).hidden_size
both: list[str] = seq2seq.ensemble([run, seq2seq.load("x")]).translate(several)
wrong: int = run.translate("a")
"""


@pytest.mark.slow
def test_a_user_s_file_passes_a_strict_check_and_a_mistake_in_it_does_not(tmp_path):
    (tmp_path / "user.py").write_text(FILE, encoding="utf-8")
    line = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "user.py"]
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    found = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert found.stdout.splitlines() == [
        'user.py:11: error: Incompatible types in assignment (expression has type "str", variable has type "int")  '
        "[assignment]",
        "Found 1 error in 1 file (checked 1 source file)",
    ]
