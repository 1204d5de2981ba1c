"""The scripts as a user runs them: in processes of their own."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

import forks
import pytest
import yaml
from tiny_run import TINY_DATA

ROOT = Path(__file__).parents[2]
TINY = [
    *TINY_DATA,
    "model.embedding_size=8",
    "model.encoder.hidden_size=4",
    "model.decoder.hidden_size=8",
    "model.decoder.feature_size=8",
    "decoding.length.max_ratio=1.0",
    "decoding.length.max_extra=3",
    "budget.max_steps=4",
    "trainer.accelerator=cpu",
    "trainer.val_check_interval=2",
    "trainer.log_every_n_steps=1",
    "logger=none",
]
# The last line has no end, and nothing to translate comes before it.
INPUT = "a b c\n\nf e\nnever seen\n\na"


@dataclass(frozen=True)
class Session:
    """What ran in one working folder, by name."""

    folder: Path
    done: dict[str, subprocess.CompletedProcess[str]]

    def succeeded(self, name: str) -> subprocess.CompletedProcess[str]:
        done = self.done[name]
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Session:
    """Every script once, two at a time: those that need a run as the report of training prints them.

    What talks to other processes has one from scratch, as training has in test_stderr.py; the rest are forks of one.
    """
    folder = tmp_path_factory.mktemp("session")
    (folder / "input.txt").write_text(INPUT, encoding="utf-8")
    (folder / "pairs.tsv").write_text("a b\tb a\nc\t\nbad\n", encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    options = {"cwd": folder, "env": environment, "text": True}

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, shell=True, executable="/bin/bash", capture_output=True, timeout=300, check=False, **options
        )

    def script(name: str, *arguments: str) -> str:
        return shlex.join(["python", str(ROOT / "scripts" / f"{name}.py"), *arguments])

    def forked(name: str, *arguments: str, source: str = "") -> Future:
        return pool.submit(forks.run, script(name, *arguments) + (f" < {source}" if source else ""), folder)

    with ThreadPoolExecutor(max_workers=2) as pool:
        jobs: dict[str, Future] = {"train": forked("train", *TINY, "run_dir=run")}
        jobs["sweep"] = forked("train", "--multirun", *TINY, "seed=1,x,2", "trainer.profiler=simple", "run_dir=sweep")
        jobs["help"] = forked("train", "--help")
        jobs["benchmark"] = forked("benchmark", *TINY, "steps=3", "warmup=1")
        for name, command in next_commands(jobs["train"].result().stdout).items():
            jobs[name] = pool.submit(forks.run, command, folder)
        jobs["again"] = forked("train", *TINY, "run_dir=run")
        beam = ["run=[run,run]", "decoding=beam", "n_best=3", "format=json", "rerank=mbr"]
        jobs["beam"] = forked("translate", *beam, source="input.txt")
        answers = script("translate", "run=run", "buffer=1")
        jobs["closed pipe"] = pool.submit(
            run, f"yes 'a b' | head -n 3000 | {answers} | head -n 1; exit ${{PIPESTATUS[2]}}"
        )
        jobs["conversation"] = pool.submit(converse, [*shlex.split(answers), "threads=1"], options)
        jobs["closed stdin"] = pool.submit(forks.run, f"{answers} < &-", folder)
        jobs["full disk"] = pool.submit(run, f"{script('train', '--help')} > /dev/full")
        jobs["cut help"] = pool.submit(run, f"{script('train', '--help')} | head -n 1; exit ${{PIPESTATUS[0]}}")
        jobs["score"] = forked("score", "run=run", source="pairs.tsv")
        jobs["selfcheck"] = forked("selfcheck", "run=run")
        jobs["decode"] = forked("benchmark", "mode=decode", "run=run", "sentences=20", "lines=3", "repeats=1")
        return Session(folder, {name: job.result() for name, job in jobs.items()})


def converse(command: list[str], options: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Three lines, each after the answer to the one before, and then Ctrl-C while it waits for a fourth."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # What was started in the background ignores Ctrl-C, and so would all below it.
    with subprocess.Popen(
        command, **pipes, **options, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    ) as process:
        guard = Timer(240, process.kill)  # lest one that never answers is waited for
        guard.start()
        said = ""
        for line in ("a b c", "", "f e"):
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            said += process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate()
        guard.cancel()
    return subprocess.CompletedProcess(command, process.returncode, said + rest, errors)


def next_commands(report: str) -> dict[str, str]:
    """The commands of the report, by script, but for that of the page, which takes long."""
    _, _, after = report.partition("\nnext:\n")
    pasted = [re.sub(r"^echo .* \| (.*)$", r"\1 < input.txt", line.strip()) for line in after.splitlines()]
    return {re.search(r"(\w+)\.py", line)[1]: line for line in pasted if "interpret" not in line}


# Training


def test_training_reports_on_stdout(session):
    report = session.succeeded("train").stdout
    assert re.search(r"^│ test, 7 examples +│", report, re.MULTILINE)
    assert re.search(r"^│ dev, 8 examples +│", report, re.MULTILINE)
    assert "exact_match" in report
    assert re.search(r"^best checkpoint: step [24]; trained \d+\.\d minutes; run folder: run$", report, re.MULTILINE)
    scripts, first = ROOT / "scripts", re.search(r"^│ (.*?) *│", report, re.MULTILINE)[1]
    source, text = shlex.quote(first), shlex.quote(f"text={first}")
    assert report.endswith(
        "\nnext:\n"
        f"  echo {source} | python {scripts}/translate.py run=run\n"
        f"  python {scripts}/evaluate.py run=run\n"
        f"  python {scripts}/interpret.py run=run {text}\n"
    )


def test_training_shows_every_validation_on_stderr(session):
    steps = re.findall(r"^step +(\d+) .*dev/loss \d", session.succeeded("train").stderr, re.MULTILINE)
    assert steps == ["2", "4"]


def test_a_run_folder_holds_all_that_it_promises(session):
    folder = session.folder / "run"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {
        "config.yaml",
        "environment.json",
        "metrics.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "tokenizers/source.model",
        "tokenizers/target.model",
    }


def test_no_name_holds_an_equals_sign(session):
    for folder in (session.folder / "run", session.folder / "sweep"):
        assert not [path for path in folder.rglob("*") if "=" in str(path.relative_to(session.folder))]


def test_nothing_is_written_elsewhere(session):
    assert {path.name for path in session.folder.iterdir()} == {"input.txt", "pairs.tsv", "run", "sweep"}


def test_the_config_is_kept_resolved(session):
    text = (session.folder / "run" / "config.yaml").read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    assert config["data"]["train_size"] == 60
    assert config["budget"]["max_steps"] == 4
    assert "${" not in text


def test_the_metrics_are_kept(session):
    record = json.loads((session.folder / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert list(record) == [
        "split",
        "scores",
        "signatures",
        "sentences",
        "seconds",
        "step",
        "training_seconds",
        "cost",
        "remarks",
        "last_step",
        "dev",
    ]
    assert (record["split"], record["sentences"]) == ("test", 7)
    assert record["step"] in (2, 4)
    assert record["cost"]["steps"] == 4
    assert sum(record["cost"]["seconds"].values()) <= record["training_seconds"] + 0.1


def test_a_second_run_into_the_folder_is_refused_in_one_line(session):
    refused = session.done["again"]
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr == (
        "error: run_dir=run already holds a run: choose another folder, or add resume=true to continue it.\n"
    )


# What comes next


def test_translate_answers_every_line_and_says_nothing_else_on_stdout(session):
    translated = session.succeeded("translate")
    lines = translated.stdout.split("\n")
    assert len(lines) == 7  # six answers and the end of the last
    assert lines[-1] == lines[1] == lines[4] == ""
    assert translated.stderr == (
        "never seen in training, translated as unknown: 'never', 'seen' (in 'never seen'; said once)\n"
    )


def test_evaluate_prints_what_training_kept(session):
    evaluated = session.succeeded("evaluate")
    report = json.loads(evaluated.stdout)
    record = json.loads((session.folder / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert evaluated.stdout.count("\n") == 1
    assert report["data"] == record["split"]
    for name in ("scores", "signatures", "sentences", "step"):
        assert report[name] == record[name]
    assert evaluated.stderr == ""


# Decoding


def test_a_beam_of_an_ensemble_lists_translations_of_every_line(session):
    found = [json.loads(line) for line in session.succeeded("beam").stdout.splitlines()]
    assert [own["line"] for own in found] == [1, 2, 3, 4, 5, 6]
    assert [own["source"] for own in found] == INPUT.split("\n")
    assert [len(own["translations"]) for own in found] == [3, 1, 3, 3, 1, 3]


def test_a_reader_that_goes_away_ends_it_quietly(session):
    closed = session.succeeded("closed pipe")
    assert closed.stdout.count("\n") == 1
    assert closed.stderr == ""


def test_with_a_buffer_of_one_each_line_is_answered_before_the_next_and_an_interrupt_ends_it(session):
    talked = session.done["conversation"]
    answers = session.succeeded("translate").stdout.split("\n")
    assert talked.stdout == f"{answers[0]}\n\n{answers[2]}\n"
    assert talked.returncode == 130
    assert talked.stderr == ""


def test_score_tells_what_it_can_before_a_bad_line(session):
    scored = session.done["score"]
    assert scored.returncode == 2
    assert scored.stderr == "error: line 3 must be source<TAB>target, but has 0 tabs.\n"
    rows = [line.split("\t") for line in scored.stdout.splitlines()]
    assert [row[1] for row in rows] == ["3", "1"]
    for total, _, each in rows:
        assert sum(map(float, each.split())) == pytest.approx(float(total), abs=1e-5)


def test_selfcheck_keeps_its_promises(session):
    kept = session.succeeded("selfcheck")
    assert kept.stdout.count(" kept ") == 7
    assert kept.stderr == ""


def test_benchmark_of_decoding_prints_one_object(session):
    printed = session.succeeded("decode").stdout
    report = json.loads(printed)
    assert printed.count("\n") == 1
    assert (report["mode"], report["sentences"]) == ("decode", 20)
    assert report["words_per_second"] > 0
    assert report["milliseconds_per_line"]["median"] > 0


# The others


def test_benchmark_prints_one_object(session):
    printed = session.succeeded("benchmark").stdout
    report = json.loads(printed)
    assert printed.count("\n") == 1
    assert report["steps"] == 3
    assert report["target_tokens_per_second"] > 0


@pytest.mark.parametrize(
    "line",
    [
        "model: auto, bahdanau, gnmt, language_model, luong, tagger, transducer",
        "schedule: constant, cosine, cosine_restarts, inverse_square_root, linear, one_cycle, plateau",
        "model/attention: ",
    ],
)
def test_help_lists_groups_and_options(session, line):
    assert line in session.succeeded("help").stdout


def test_a_sweep_gives_every_job_a_run_folder(session):
    assert session.done["sweep"].returncode == 2
    sweep = session.folder / "sweep"
    runs = sorted(path for path in sweep.iterdir() if path.is_dir())
    assert [run.name for run in runs] == ["0", "2"]
    assert [yaml.safe_load((run / "config.yaml").read_text())["seed"] for run in runs] == [1, 2]
    assert all((run / "metrics.json").is_file() and (run / "checkpoints" / "best.ckpt").is_file() for run in runs)


def test_a_job_of_a_sweep_that_fails_is_told_in_one_line_and_the_others_run(session):
    errors = [line for line in session.done["sweep"].stderr.splitlines() if line.startswith("error")]
    assert errors == ["error: job 1 (seed=x): seed must be a whole number from 0 to 4294967295, but is 'x'."]
    assert "Traceback" not in session.done["sweep"].stderr


def test_a_stream_that_is_closed_or_full_is_told_in_one_line(session):
    assert session.done["closed stdin"].stderr == "error: stdin is closed: give lines with < FILE, or by a pipe.\n"
    full = "error: The output cannot be read or written: No space left on device: check path, permissions and space.\n"
    assert session.done["full disk"].stderr == full
    assert [session.done[name].returncode for name in ("closed stdin", "full disk")] == [2, 2]


def test_help_whose_reader_goes_away_ends_quietly(session):
    assert session.succeeded("cut help").stderr == ""


def test_a_profiler_that_is_asked_for_reports(session):
    assert session.done["sweep"].stderr.count("FIT Profiler Report") == 2
