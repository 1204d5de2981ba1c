"""Training says on stderr what is ours, and nothing that its libraries tell programmers."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tiny_run import TINY_DATA

TRAIN = Path(__file__).parents[2] / "scripts" / "train.py"
RUN = [
    *TINY_DATA,
    "model/cell=lstm_projected",
    "model.embedding_size=8",
    "model.encoder.hidden_size=4",
    "model.decoder.hidden_size=8",
    "model.decoder.feature_size=8",
    "callbacks=early_stopping",
    "budget.max_steps=2",
    "trainer.accelerator=cpu",
    "trainer.accumulate_grad_batches=2",
    "trainer.val_check_interval=1",
    "callbacks.samples.count=1",
    "run_dir=run",
]
RESUMED = ["run_dir=run", "resume=true", "budget.max_steps=3", "callbacks.score_watch=null"]
# Both in one process, as what they import takes longest.
IN_TURN = """
import runpy, shlex, sys
script, *runs = sys.argv[1:]
for arguments in runs:
    sys.argv = [script, *shlex.split(arguments)]
    runpy.run_path(script, run_name="__main__")
"""
# Files of code, kinds of warnings and parts of libraries.
FOREIGN = re.compile(r"\.py:|Warning:|site-packages|Lightning|ModelCheckpoint|lr_scheduler|Trainer\.fit")


def said(folder: Path, *runs: list[str]) -> list[str]:
    """What one process that runs the script with each of these arguments says, in order, on stderr."""
    command = [sys.executable, "-W", "default", "-c", IN_TURN, str(TRAIN), *(shlex.join(run) for run in runs)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()


def test_every_line_is_ours(tmp_path):
    lines = said(tmp_path, RUN, RESUMED)
    assert [line for line in lines if FOREIGN.search(line)] == []
    assert [line.split()[1] for line in lines if line.startswith("step ")] == ["1", "2", "3"]
