"""A search for settings: what is asked, told, stopped, lost and taken up again."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from seq2seq import control_groups
from seq2seq.commands import search as command
from seq2seq.commands.search import search
from seq2seq.commands.searching.study import Study, told_of_storage
from seq2seq.commands.searching.trials import PrunedError, TrialOutcome, Watched, dev_scores, train_trial
from seq2seq.config.contract import resolve
from seq2seq.config.overrides import written
from seq2seq.config.places import CONF
from seq2seq.config.space import Choices, Range, read_space
from seq2seq.errors import UserError
from seq2seq.runs.possible import checked
from seq2seq.runs.process_state import born

SPACE = {"model.dropout": Range(0.1, 0.5, step=0.1), "model/cell": Choices(("lstm", "gru"))}


@pytest.fixture
def study_at(tmp_path):
    """Opens the study of a folder; it is closed at the end."""
    with ExitStack() as opened:

        def study(space=SPACE, *, higher: bool = False) -> Study:
            return opened.enter_context(closing(Study("mine", f"sqlite:///{tmp_path}/study.db", space, higher)))

        yield study


def score_of(settings) -> float:
    """A score, lower is better, with its best at dropout 0.3 and gru."""
    return 50.0 if not settings else 100 * abs(settings["model.dropout"] - 0.3) + (settings["model/cell"] == "lstm")


# ---- The study


def test_the_first_trial_is_the_config_as_it_is_and_the_best_is_found(study_at):
    study = study_at()
    seen = []
    while (trial := study.ask(25)) is not None:
        seen.append(dict(trial.settings))
        study.tell(trial, [score_of(trial.settings)], 1.0)
    assert len(seen) == 25
    assert seen[0] == {}
    assert all(set(settings) == set(SPACE) for settings in seen[1:])
    best = min(study.rows(), key=lambda row: row.scores[0])
    assert best.settings["model.dropout"] == pytest.approx(0.3)
    assert study.importances().keys() == SPACE.keys()
    assert study.importances()["model.dropout"] > study.importances()["model/cell"]
    assert study_at().done() == 25
    assert study_at().ask(25) is None


def test_a_trial_that_does_worse_than_half_of_the_others_is_stopped(study_at):
    study = study_at()
    for _ in range(6):
        trial = study.ask(20)
        assert not any(study.should_stop(trial, step, 10.0) for step in (10, 20, 30))
        study.tell(trial, [10.0], 1.0)
    trial = study.ask(20)
    assert [study.should_stop(trial, step, 60.0) for step in (10, 20)][-1]
    study.tell_pruned(trial)
    assert study.rows()[-1].state == "pruned"


def test_trials_of_a_worker_that_is_gone_are_tried_again(study_at):
    study = study_at()
    study.tell(study.ask(9), [1.0], 1.0)
    lost, mine = study.ask(9), study.ask(9)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    lost.trial.set_user_attr("worker", [os.uname().nodename, gone.pid])
    again = study_at()
    again.take_back_lost()
    taken = again.ask(9)
    assert taken.settings == lost.settings
    assert taken.number == 3
    assert [row.number for row in again.rows()] == [0, mine.number, 3]


@pytest.mark.parametrize(
    ("worker", "seconds", "lost"),
    [
        ([os.uname().nodename, os.getpid(), "another boot 7"], 60.0, True),  # a container that was started again
        ([os.uname().nodename, os.getpid(), born(os.getpid())], 60.0, False),
        ([os.uname().nodename, os.getpid()], 60.0, False),  # as before, without its birth
        (["elsewhere", 1, "boot 7"], 60.0, False),
        (None, 60.0, False),  # another search has just asked for it
        (None, 0.0, True),  # it was killed right behind that
    ],
)
def test_a_number_of_a_process_is_not_enough_to_know_a_worker(study_at, monkeypatch, worker, seconds, lost):
    monkeypatch.setattr("seq2seq.commands.searching.study._UNKNOWN_SECONDS", seconds)
    study = study_at()
    trial = study.ask(9) if worker else study.study.ask()
    if worker:
        trial.trial.set_user_attr("worker", worker)
    again = study_at()
    again.take_back_lost()
    assert [row.state for row in again.rows()] == ["waiting" if lost else "running"]


def test_two_searches_at_once_try_no_more_than_is_asked_for(study_at, monkeypatch):
    one, other = study_at(), study_at()
    monkeypatch.setattr(other, "_count", lambda: 0)  # as it looked a moment before
    assert one.ask(1).number == 0
    assert other.ask(1) is None
    assert [row.number for row in other.rows()] == [0]
    assert one.ask(2).settings  # what was given back is no trial


def test_a_damaged_study_is_one_line(study_at, tmp_path):
    study = study_at()
    study.tell(study.ask(9), [1.0], 1.0)
    study.close()
    (file,) = tmp_path.glob("*.db")
    data = bytearray(file.read_bytes())
    for place in range(4096, len(data), 4096):
        data[place : place + 64] = b"\xff" * 64
    file.write_bytes(data)

    def goes_on() -> None:
        with told_of_storage():
            again = study_at()
            again.tell(again.ask(9), [1.0], 1.0)
            again.rows()

    with pytest.raises(UserError, match=r"cannot be (opened \(|read or written \()") as error:
        goes_on()
    assert "\n" not in str(error.value)


def test_a_disk_that_is_full_under_a_study_is_one_line():
    full = OperationalError("INSERT", {}, Exception("database or disk is full"))
    message = r"^storage cannot be read or written \(database or disk is full\): what has been trained is kept"
    with pytest.raises(UserError, match=message), told_of_storage():
        raise StorageInternalError("An exception is raised during the commit.") from full


def test_another_space_under_the_same_name_is_refused(study_at):
    study_at()
    for change in ({"space": {"seed": Range(1, 5)}}, {"higher": True}):
        with pytest.raises(UserError, match="name=mine is a study of another space or score"):
            study_at(**change)


def test_a_config_that_cannot_be_trained_ends_the_search(study_at):
    study = study_at()
    with pytest.raises(UserError, match="no such thing"):
        study.tell_failed(study.ask(9), "no such thing")
    study.tell_failed(study.ask(9), "once")  # a bad luck of one trial is none of the others'
    with pytest.raises(UserError, match="again"):
        study.tell_failed(study.ask(9), "again")


# ---- Trials


def fake_run(folder: Path, scores: list[float], seconds: float = 0.0, code: int = 0) -> list[str]:
    """A script in the place of train.py that logs dev scores one by one, and ends with a record."""
    lines = f"""
import json, pathlib, sys, time
folder = pathlib.Path(sys.argv[-1].partition("=")[2])
(folder / "metrics").mkdir(parents=True)
rows = ["step,dev/wer"]
for number, score in enumerate({scores}, 1):
    rows += [f"{{10 * number - 1}},{{score}}", f"{{10 * number}},"]
    (folder / "metrics" / "metrics.csv").write_text("\\n".join(rows) + "\\n")
    time.sleep({seconds})
if {code}:
    sys.exit("error: something is wrong.") if {code} == 1 else sys.exit({code})
record = {{"dev": {{"scores": {{"wer": {scores[-1]}}}}}, "scores": {{"wer": 0.0}}, "step": 30, "training_seconds": 1.5}}
(folder / "metrics.json").write_text(json.dumps(record))
"""
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(lines)
    return []


def watched(stops=lambda step, score: False) -> Watched:
    return Watched("wer", stops)


def test_a_trial_is_a_process_whose_dev_scores_are_seen_and_whose_record_counts(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.commands.searching.trials.SCRIPTS", tmp_path)
    fake_run(tmp_path, [30.0, 20.0])
    seen = []
    found = train_trial([], tmp_path / "run", watched(lambda *pair: seen.append(pair) or False), threads=1)
    assert found == TrialOutcome(20.0, 30, 1.5)
    assert seen == [(10, 30.0), (20, 20.0)] == list(dev_scores(tmp_path / "run", "wer"))
    fake_run(tmp_path, [40.0])
    assert train_trial([], tmp_path / "run", watched(), threads=1).score == 40.0  # not what another study left there
    assert (tmp_path / "run.before_1" / "metrics.json").is_file()


@pytest.mark.parametrize(("given", "threads"), [(None, "3"), ("5", "5")])
def test_a_trial_has_the_threads_that_are_its_share_unless_the_user_says_so(tmp_path, monkeypatch, given, threads):
    monkeypatch.setattr("seq2seq.commands.searching.trials.SCRIPTS", tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    fake_run(tmp_path, [20.0])
    with (tmp_path / "train.py").open("a") as file:
        file.write('import os\n(folder / "threads").write_text(os.environ["OMP_NUM_THREADS"])\n')
    train_trial([], tmp_path / "run", watched(), threads=3)
    assert (tmp_path / "run" / "threads").read_text() == threads


def test_a_trial_that_is_stopped_ends_its_process(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.commands.searching.trials.SCRIPTS", tmp_path)
    monkeypatch.setattr("seq2seq.commands.searching.trials._SECONDS", 0.05)
    fake_run(tmp_path, [30.0, 20.0, 10.0], seconds=30)
    with pytest.raises(PrunedError):
        train_trial([], tmp_path / "run", watched(lambda step, score: step == 10), threads=1)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_a_trial_that_fails_is_told_by_its_last_line_and_a_folder_of_before_is_moved(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.commands.searching.trials.SCRIPTS", tmp_path)
    fake_run(tmp_path, [30.0], code=1)
    (tmp_path / "run").mkdir()
    with pytest.raises(UserError, match="^something is wrong.$"):
        train_trial([], tmp_path / "run", watched(), threads=1)
    assert (tmp_path / "run.before_1").is_dir()


def test_a_trial_that_is_killed_is_told_by_the_signal(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.commands.searching.trials.SCRIPTS", tmp_path)
    fake_run(tmp_path, [30.0])
    with (tmp_path / "train.py").open("a") as script:
        script.write("import os, signal\nprint('step 10', file=sys.stderr, flush=True)\n")
        script.write("os.kill(os.getpid(), signal.SIGKILL)\n")
    with pytest.raises(UserError, match="^killed by SIGKILL, often for want of memory$"):
        train_trial([], tmp_path / "run", watched(), threads=1)


def test_a_row_that_is_being_written_is_not_read(tmp_path):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "metrics.csv").write_text("dev/wer,step\n30.0,9\n20.0")
    assert list(dev_scores(tmp_path, "wer")) == [(10, 30.0)]


# ---- The command


@pytest.fixture
def quick(monkeypatch, tiny_run):
    """Trials that take no time, with the score of their settings."""
    asked = []

    def trained(overrides, folder, watched, *, threads):
        values = dict(text.split("=") for text in overrides[-3:])
        asked.append(overrides)
        settings = (
            {"model.dropout": float(values["model.dropout"]), "model/cell": values["model/cell"]}
            if len(values) == 3
            else {}
        )
        return TrialOutcome(score_of(settings), 10, 6.0)

    monkeypatch.setattr(command, "train_trial", trained)
    monkeypatch.setattr(command, "_monitored", lambda shared, space: ("wer", False))
    return asked


def test_a_search_ends_in_a_table_and_two_pictures_and_goes_on(quick, config_of, tmp_path):
    (tmp_path / "space.yaml").write_text("model.dropout: {low: 0.1, high: 0.5, step: 0.1}\nmodel/cell: [lstm, gru]\n")
    options = f"folder={tmp_path / 'found'}", f"space_file={tmp_path / 'space.yaml'}", "seeds=2"
    lines = list(search(config_of("search", *options, "trials=8")))
    assert len(quick) == 16  # of two seeds each
    assert quick[0][-1] == "seed=1"
    assert lines[2].startswith("| 1 |")
    assert "8 trials of 2 seeds" in lines[-1]
    assert (tmp_path / "found" / "leaderboard.md").read_text(encoding="utf-8").splitlines() == lines
    assert {path.name for path in (tmp_path / "found").iterdir()} >= {"study.db", "history.png", "importance.png"}
    list(search(config_of("search", *options, "trials=8")))
    assert len(quick) == 16
    list(search(config_of("search", *options, "trials=10", "workers=2")))
    assert len(quick) == 20


def test_workers_share_the_processors_that_a_quota_leaves(quick, config_of, tmp_path, monkeypatch):
    threads, trained = [], command.train_trial
    monkeypatch.setattr(command, "train_trial", lambda *given, threads: found(threads) or trained(*given, threads=1))
    found = threads.append
    monkeypatch.setattr(control_groups.os, "cpu_count", lambda: 64)
    monkeypatch.setattr(control_groups.os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    monkeypatch.setattr(control_groups, "quota", lambda root: 4)
    list(search(config_of("search", f"folder={tmp_path / 'found'}", "trials=1", "workers=2")))
    assert threads == [2]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["trials=0"], "trials must be a whole number of at least 1, but is 0."),
        (["workers=x"], "workers must be a whole number of at least 1, but is 'x'."),
        (["prune=maybe"], "prune must be bool, but is 'maybe'."),
    ],
)
def test_a_mistake_is_told_before_anything_is_trained(config_of, tmp_path, overrides, message):
    with pytest.raises(UserError) as error:
        list(search(config_of("search", f"folder={tmp_path / 'found'}", *overrides)))
    assert str(error.value) == message
    assert not (tmp_path / "found").exists()


@pytest.mark.parametrize("key", ["seed", "run_dir", "trials", "logger", "hydra.sweep.dir", "lr_finder.steps"])
def test_a_space_holds_what_trials_can_differ_in(config_of, tmp_path, key):
    (tmp_path / "space.yaml").write_text(f"model.dropout: [0.1, 0.2]\n{key}: [1, 2]\n")
    with pytest.raises(UserError) as error:
        list(search(config_of("search", f"folder={tmp_path / 'found'}", f"space_file={tmp_path / 'space.yaml'}")))
    assert str(error.value).startswith(
        f"space: {key} must be an option that trials can differ in, but the search sets it: "
    )
    assert not (tmp_path / "found").exists()


def test_without_optuna_it_says_what_to_install(config_of, monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"search needs the library optuna: pip install -e '.\[search\]'."):
        list(search(config_of("search", f"folder={tmp_path / 'found'}")))


@pytest.mark.slow
def test_a_search_whose_worker_is_killed_goes_on_with_what_is_done(tmp_path):
    root = Path(__file__).parents[2]
    pairs = "".join(f"{a}{b}{c}\t{c} {b} {a}\n" for a in "abcd" for b in "abcd" for c in "abcd")
    (tmp_path / "pairs.tsv").write_text(pairs)
    (tmp_path / "space.yaml").write_text("model.dropout: {low: 0.1, high: 0.5}\n")
    options = (
        "data=tsv data.train=pairs.tsv budget.max_steps=6 model.encoder.hidden_size=8 space_file=space.yaml trials=3"
    )
    line = [sys.executable, str(root / "scripts" / "search.py"), *options.split(), "folder=found", "threads=1"]
    killed = subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 240
    while not (tmp_path / "found" / "trial_0" / "seed_1" / "metrics.json").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(2.5)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    found = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "3 trials of 1 seed." in found.stdout
    assert json.loads((tmp_path / "found" / "trial_0" / "seed_1" / "metrics.json").read_text())["step"] > 0
    (tmp_path / "bad.yaml").write_text("model.dropuot: [0.1]\n")
    line += ["space_file=bad.yaml", "name=bad"]
    bad = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert bad.returncode == 2
    assert "The option 'model.dropuot' does not exist: did you mean 'model.dropout'?" in bad.stderr


@pytest.mark.parametrize("space", sorted({path.stem for path in (CONF / "space").glob("*.yaml")} - {"none"}))
def test_training_takes_every_value_of_our_spaces(space, config_of):
    for key, own in read_space(OmegaConf.to_container(config_of("search", f"space={space}").space), None).items():
        for value in own.values if isinstance(own, Choices) else (own.low, own.high):
            checked(resolve(config_of("train", f"{key}={written(key, value)}")))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nothing", "nothing cannot be opened (ArgumentError)"),
        ("mysql://me:secret@localhost/x", "mysql://...@localhost/x cannot be opened (ImportError)"),
        (
            "sqlite:////nowhere/at/all/study.db",
            "sqlite:////nowhere/at/all/study.db cannot be opened (OperationalError)",
        ),
    ],
)
def test_a_storage_that_cannot_be_opened_is_told_in_one_line_without_its_password(url, shown):
    with pytest.raises(UserError) as error:
        Study("mine", url, SPACE, higher=True)
    assert str(error.value) == (
        f"storage={shown}: give the SQLAlchemy URL of a database that is there, and install its driver; null keeps "
        "study.db in the folder."
    )
