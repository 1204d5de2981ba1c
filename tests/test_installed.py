"""The command `seq2seq`, from a clone and installed elsewhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import seq2seq
from seq2seq import __main__ as command
from seq2seq.config import help as help_module
from seq2seq.config import overrides
from seq2seq.config.help import help_text
from seq2seq.config.places import CONF, SCRIPTS

ROOT = Path(__file__).parents[1]
NAMES = sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))


def said(capsys, monkeypatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["seq2seq", *arguments])
    command.main()
    return capsys.readouterr().out


def test_without_a_name_it_names_the_commands(capsys, monkeypatch):
    for arguments in ((), ("--help",), ("-h",)):
        assert said(capsys, monkeypatch, *arguments).endswith(f"commands: {', '.join(NAMES)}\n")


def test_its_version_is_the_package_s(capsys, monkeypatch):
    assert said(capsys, monkeypatch, "--version") == f"seq2seq {seq2seq.__version__}\n"


@pytest.mark.parametrize("name", NAMES)
def test_each_command_is_the_script_of_its_name(capsys, monkeypatch, name):
    assert said(capsys, monkeypatch, name, "--help") == help_text(name) + "\n"


@pytest.mark.parametrize(
    ("name", "hint"), [("trian", "did you mean train?"), ("xyzzy", f"there are {', '.join(NAMES)}.")]
)
def test_another_name_is_refused_in_one_line(capsys, monkeypatch, name, hint):
    with pytest.raises(SystemExit) as end:
        said(capsys, monkeypatch, name)
    assert end.value.code == 2
    assert capsys.readouterr().err == f"error: {name} is no command: {hint}\n"


def test_in_a_clone_the_files_of_the_clone_are_used():
    assert (CONF, SCRIPTS) == (ROOT / "conf", ROOT / "scripts")


def test_what_is_installed_names_the_command_rather_than_a_script(monkeypatch):
    monkeypatch.setattr(overrides, "INSTALLED", True)
    monkeypatch.setattr(help_module, "INSTALLED", True)
    monkeypatch.setattr(sys, "argv", ["train"])
    assert overrides.command("/x/scripts/translate.py", ["run=r"]) == "seq2seq translate run=r"
    assert "python scripts/" not in help_text("train").partition("\n\n")[0]
    assert "\n  seq2seq train " in help_text("train")


@pytest.mark.slow
def test_an_installed_package_trains_and_translates_in_an_empty_folder(tmp_path):
    """Built and installed as users do; only what it depends on is that of these tests."""
    home, work, clone = (tmp_path / name for name in ("installed", "empty", "clone"))
    work.mkdir()
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.splitlines():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(home), str(clone)]
    subprocess.run(pip, check=True, capture_output=True)
    (work / "pairs.tsv").write_text("".join(f"{w}\t{' '.join(w)}\n" for w in ("ab", "ba", "aab", "bba", "abab", "bb")))
    environment = os.environ | {"PYTHONPATH": str(home)}

    def run(*arguments: str, lines: str = "") -> subprocess.CompletedProcess:
        line = [sys.executable, "-m", "seq2seq", *arguments]
        return subprocess.run(line, cwd=work, env=environment, input=lines, capture_output=True, text=True, check=True)

    trained = run("train", "data=tsv", "data.train=pairs.tsv", "budget.max_steps=2", "run_dir=r", "logger=none")
    assert "\n  seq2seq evaluate run=r\n" in trained.stdout
    assert len(run("translate", "run=r", lines="ab\nba\n").stdout.splitlines()) == 2
    assert sorted(path.name for path in work.iterdir()) == ["pairs.tsv", "r"]
