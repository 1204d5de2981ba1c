"""What is written is UTF-8 whatever the locale, and commands that are printed run as they are."""

import json
import re
import shlex
from pathlib import Path

import forks
import pytest

ROOT = Path(__file__).parents[2]
PAIRS = [("αβ", "βα"), ("βγ", "γβ"), ("αγ", "γα"), ("γα", "αγ"), ("βα", "αβ"), ("αα", "αα")]
TINY = [
    "task=greek",
    "data=tsv",
    "data.train=ζεύγη.tsv",
    "data.dev=ζεύγη.tsv",
    "data.test=ζεύγη.tsv",
    "tokenizer=char",
    "metrics=exact_match",
    "model.embedding_size=4",
    "model.encoder.hidden_size=4",
    "model.decoder.hidden_size=8",
    "model.decoder.feature_size=4",
    "budget.max_steps=2",
    "trainer.accelerator=cpu",
    "trainer.val_check_interval=2",
    "trainer.log_every_n_steps=1",
    "precision=32-true",
    "logger=none",
]
FOLDER = "it's (a) b=c, ~größe#1"


def script(name: str, *arguments: str) -> str:
    return shlex.join(["python", str(ROOT / "scripts" / f"{name}.py"), *arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A working folder with pairs, and a run on them in a folder whose name has everything in it."""
    folder = tmp_path_factory.mktemp("encodings")
    (folder / "ζεύγη.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS), encoding="utf-8")
    (folder / "input.txt").write_text("αβ\nωω\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(folder) -> str:
    """What training says where the locale is ASCII."""
    done = forks.run(script("train", *TINY, f"run_dir={FOLDER}"), folder, "ascii")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_training_reports_in_utf8_where_the_locale_is_ascii(trained):
    assert "αβ" in trained
    assert f"run folder: {FOLDER}\n" in trained


@pytest.mark.parametrize("name", ["translate", "evaluate"])
def test_a_command_that_training_printed_runs_as_it_is(trained, folder, name):
    (command,) = re.findall(rf"^ +((?:echo .* )?python .*{name}\.py.*)$", trained, re.MULTILINE)
    said, _, command = command.rpartition(" | ")
    if said:
        (folder / "said.txt").write_text(shlex.split(said)[1], encoding="utf-8")
        command += " < said.txt"
    done = forks.run(command, folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("encoding", "name", "arguments", "shown"),
    [
        ("cp1252", "translate", ["format=json", "< input.txt"], '"source": "αβ"'),
        ("ascii", "evaluate", ["file=ζεύγη.tsv"], '"data": "ζεύγη.tsv"'),
        ("cp1252", "score", ["format=json", "< ζεύγη.tsv"], '"pieces": ["β"'),
        ("ascii", "interpret", ["text=αβ", "steps=1", "formats=[svg]"], "/interpretation/αβ"),
        ("cp1252", "selfcheck", ["file=ζεύγη.tsv", "sentences=2"], "promises on ζεύγη.tsv"),
        ("ascii", "benchmark", ["mode=decode", "file=ζεύγη.tsv", "sentences=2", "lines=1", "repeats=1"], '"decode"'),
    ],
)
def test_every_script_writes_utf8(trained, folder, encoding, name, arguments, shown):
    source = [text for text in arguments if text.startswith("<")]
    words = [text for text in arguments if text not in source]
    done = forks.run(" ".join([script(name, f"run={FOLDER}", *words), *source]), folder, encoding)
    assert done.returncode == 0, done.stderr
    assert shown in " ".join(done.stdout.split())
    if name == "translate":
        assert "'ωω'" in done.stderr
        assert [json.loads(line)["source"] for line in done.stdout.splitlines()] == ["αβ", "ωω"]


def test_a_mistake_is_told_in_utf8(folder):
    said = forks.run(script("compare", "groups=[größe]"), folder, "ascii").stderr
    assert said.startswith("error: groups must name groups of conf/, but there is no 'größe'")
