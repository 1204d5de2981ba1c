"""Shells complete options by what Hydra offers them."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import forks
import pytest

from seq2seq.__main__ import main

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


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("seq2seq tr", {"train", "translate"}),
        ("seq2seq xy", set()),
        ("seq2seq translate decodi", {"decoding", "decoding."}),
        ("seq2seq nothing decodi", set()),
    ],
)
def test_the_command_completes_its_scripts_and_their_options(line, words, monkeypatch, capsys):
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setattr(sys, "argv", ["seq2seq", "-sc", "query=bash"])
    main()
    assert set(capsys.readouterr().out.split()) == words


@pytest.mark.parametrize(("shell", "first"), [("bash", "export"), ("fish", "function"), ("zsh", "export")])
def test_a_shell_is_given_the_completion_of_the_command(shell, first, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["/folder/seq2seq", "-sc", f"install={shell}"])
    main()
    said = capsys.readouterr().out
    assert said.startswith(first)
    assert "complete" in said.splitlines()[-1 if shell != "fish" else -2]
    assert " seq2seq" in said


@pytest.mark.parametrize("request_", ["install=tcsh", "", "remove=bash"])
def test_a_shell_that_is_not_known_is_refused(request_, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["seq2seq", "-sc", request_])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert f"-sc {request_} is none of install, uninstall, query of bash, fish, zsh" in capsys.readouterr().err
