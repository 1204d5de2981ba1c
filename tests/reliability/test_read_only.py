"""Runs in folders that cannot be written, and copies of runs that are under way."""

import csv
import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faulty_disk import failing
from line_streams import build_stream
from wholeness import assert_same_weights, check_whole

from seq2seq.commands.adapt import adapt
from seq2seq.commands.average import average
from seq2seq.commands.compress import compress
from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.export import export
from seq2seq.commands.gradients import gradients
from seq2seq.commands.health import health
from seq2seq.commands.interpret import interpret
from seq2seq.commands.intervene import intervene
from seq2seq.commands.probe import probe
from seq2seq.commands.prune import prune
from seq2seq.commands.score import score_lines
from seq2seq.commands.selfcheck import selfcheck
from seq2seq.commands.time_constants import find_time_constants
from seq2seq.errors import UserError

ANSWERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "translate": ("translate", lambda config: list(build_stream(config)([b"a b\n"]))),
    "evaluate": ("evaluate", evaluate_run),
    "score": ("score", lambda config: list(score_lines(config, [b"a b\tb a\n"]))),
    "selfcheck": ("selfcheck", selfcheck),
}
# Commands that write a report, with options that make them quick.
REPORTS: dict[str, tuple[Callable[[Any], Any], list[str]]] = {
    "interpret": (interpret, ["text=a b", "steps=2"]),
    "health": (health, ["limit=4"]),
    "gradients": (gradients, ["limit=2"]),
    "time_constants": (find_time_constants, ["limit=2"]),
    "intervene": (intervene, []),
    "probe": (probe, []),
}
WRITERS: dict[str, tuple[Callable[[Any], Any], list[str]]] = {
    "prune": (prune, ["method=magnitude"]),
    "compress": (compress, ["to=float16"]),
    "average": (average, []),
    "export": (export, ["to=page", "sentences=2"]),
}


@pytest.fixture(scope="module")
def run(finished, tmp_path_factory) -> Path:
    return Path(shutil.copytree(finished, tmp_path_factory.mktemp("kept") / "run"))


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_come_from_a_run_that_cannot_be_written(run, config_of, name):
    script, answer = ANSWERS[name]
    with failing(run, 0, errno.EROFS) as disk:
        assert answer(config_of(script, f"run={run}"))
    assert disk.writes == 0


@pytest.mark.parametrize("name", REPORTS)
def test_reports_of_a_run_that_cannot_be_written_go_elsewhere_and_that_is_said_first(
    run, config_of, tmp_path, monkeypatch, name
):
    report, options = REPORTS[name]
    if name in ("interpret", "health", "gradients", "time_constants"):
        with failing(run, 0, errno.EROFS) as disk:
            report(config_of(name, f"run={run}", f"out={tmp_path / 'out'}", "formats=[svg]", *options))
        assert disk.writes == 0
        assert list((tmp_path / "out").iterdir())
    monkeypatch.setattr("torch.load", None)  # it is said before any work
    with failing(run, 0, errno.EROFS), pytest.raises(UserError) as error:
        report(config_of(name, f"run={run}", *options))
    assert str(error.value) == (
        f"out must be given, as reports go into the run, but {run} cannot be written (Read-only file system): add "
        "out=FOLDER."
    )


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_made_of_a_run_that_cannot_be_written_is_the_same(run, config_of, tmp_path, name):
    make, options = WRITERS[name]
    given = f"run=[{run},{run}]" if name == "average" else f"run={run}"
    out = tmp_path / ("page.html" if name == "export" else "out")
    with failing(run, 0, errno.EROFS) as disk:
        make(config_of(name, given, f"out={out}", *options))
    assert disk.writes == 0
    assert out.exists()


def test_what_cannot_be_written_into_is_not_adapted(run, config_of, tmp_path):
    (tmp_path / "pairs.tsv").write_text("a b\tb a\n")
    with failing(run, 0, errno.EROFS), pytest.raises(UserError) as error:
        adapt(config_of("adapt", f"run={run}", f"in={tmp_path / 'pairs.tsv'}"))
    assert str(error.value) == (
        f"run={run} cannot be written (Read-only file system), but versions go into it: adapt a copy of it."
    )


def test_a_copy_of_a_run_that_was_under_way_goes_on_as_the_run_does(ended, tmp_path):
    assert ended(tmp_path / "run", "logger=csv").code == 0
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    copy = tmp_path / "copy"
    table = copy / "metrics" / "metrics.csv"
    table.write_bytes(table.read_bytes()[:-7])  # in the middle of a row
    (copy / "checkpoints" / ".best_ckpt.4711.part").write_bytes(b"PK")  # and of a checkpoint
    (copy / "metrics.json").unlink()
    for folder in (tmp_path / "run", copy):
        assert ended(folder, "logger=csv", "budget.max_steps=6", resume=True).code == 0
        check_whole(folder)
    assert_same_weights(tmp_path / "run", copy)
    for folder in (tmp_path / "run", copy):
        with (folder / "metrics" / "metrics.csv").open(newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
        assert all(None not in row and None not in row.values() for row in rows)
        assert [row["step"] for row in rows if row["dev/loss"]] == ["1", "3", "5"]
