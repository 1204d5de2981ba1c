"""Training says on stderr what is ours, and nothing that its libraries tell programmers."""

import re
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
    "run_dir=run",
]
# Files of code, kinds of warnings and parts of libraries.
FOREIGN = re.compile(r"\.py:|Warning:|site-packages|Lightning|ModelCheckpoint|lr_scheduler|Trainer\.fit")


def said(folder: Path, *overrides: str) -> list[str]:
    command = [sys.executable, "-W", "default", str(TRAIN), *overrides]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()


def test_every_line_is_ours(tmp_path):
    first = said(tmp_path, *RUN)
    resumed = said(tmp_path, "run_dir=run", "resume=true", "budget.max_steps=3", "callbacks.score_watch=null")
    assert [line for line in first + resumed if FOREIGN.search(line)] == []
    assert [line.split()[1] for line in first + resumed if line.startswith("step ")] == ["1", "2", "3"]
