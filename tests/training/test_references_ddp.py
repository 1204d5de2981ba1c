"""Two processes take references together as one does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

pytestmark = pytest.mark.slow  # starts processes that start processes

ROOT = Path(__file__).parents[2]
SEVERAL = [(f"{a} {b} {a}", f"{c} {d} {a}") for a in "abcd" for b in "abcd" for c, d in ((b, a), (a, b))][:-3]
RUN = [
    *("data=tsv", "data.dev_size=4", "tokenizer=word", "metrics=exact_match", "model.dropout=0.0", "sizing=none"),
    *("batches.max_tokens=70", "budget.max_steps=7", "trainer.val_check_interval=2", "references=log_sum"),
    *("optimizer.lr=0.02", "optimizer.eps=1e-3"),  # below eps, rounding is not blown up to whole steps
]


def test_weights_are_those_of_one_process(tiny_run, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"{source}\t{target}\n" for source, target in SEVERAL))
    shared = [text for text in tiny_run if not text.startswith(("data.", "experiment="))]
    for name, more in (("one", []), ("two", ["trainer=ddp", "trainer.devices=2"])):
        overrides = [*shared, *RUN, *more, f"data.train={pairs}", f"run_dir={tmp_path / name}"]
        done = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / "train.py"), *overrides],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
    one, two = (torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True) for name in ("one", "two"))
    for kind in ("state_dict", "weights"):
        assert_close(two[kind], one[kind], rtol=0, atol=1e-5)
    assert one["state_dict"]["model.output.bias"].abs().max() > 1e-2  # it starts at 0
