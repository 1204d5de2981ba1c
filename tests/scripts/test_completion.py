"""Shells complete options by what Hydra offers them."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import forks
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "train.py"


@pytest.mark.parametrize(("shell", "first"), [("bash", "export"), ("fish", "function"), ("zsh", "export")])
def test_a_shell_is_given_its_completion(tmp_path, shell, first):
    found = forks.run(shlex.join(["python", str(SCRIPT), "--shell-completion", f"install={shell}"]), tmp_path)
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(first)


@pytest.mark.slow
def test_options_are_completed():
    line = [sys.executable, str(SCRIPT), "-sc", "query=bash"]
    environment = os.environ | {"COMP_LINE": "python train.py tokeni"}
    found = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) == {"tokenizer.", "tokenizer="}
