"""A run learns from what comes, and serves what is surely better."""

import io
import json
import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from seq2seq import folder_lock
from seq2seq.commands.adapt import _old_examples, adapt
from seq2seq.commands.adapting import adaptation
from seq2seq.commands.adapting.adaptation import Adaptation
from seq2seq.commands.train import train
from seq2seq.config.contract import read_options
from seq2seq.data.examples import Example, Splits
from seq2seq.errors import DivergedError, UserError
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.run import load_run
from seq2seq.runs.translator import open_translator
from seq2seq.training.adaptation import Learner
from seq2seq.training.objectives.cross_entropy import CrossEntropy

SIZES = ["data.train_size=300", "data.dev_size=60", "budget.max_steps=60", "trainer.val_check_interval=60"]
PACE = [
    "score=loss",
    "rehearsal=1.0",
    "l2=1.0",
    "averaging.decay=0.95",
    "tolerance=0.15",
    "optimizer.lr=0.01",
    "every=40",
    "most_held_out=60",
    "bootstrap=200",
    "threads=1",
    "device=cpu",
]


def strings(count: int, length: int) -> list[list[str]]:
    draw = random.Random(length)
    return [draw.choices("abcdef", k=length) for _ in range(count)]


@pytest.fixture(scope="module")
def start(tiny_config, tmp_path_factory) -> Path:
    """A run that reverses up to five letters."""
    folder = tmp_path_factory.mktemp("start") / "run"
    folder.mkdir()
    train(tiny_config(*SIZES), folder, resume=False)
    return folder


@pytest.fixture
def run(start, tmp_path) -> Path:
    return Path(shutil.copytree(start, tmp_path / "run"))


@pytest.fixture
def adapted(config_of, tmp_path) -> Callable[..., dict[str, Any]]:
    """What adapt tells after some lines."""

    def call(run: Path, lines: list[str], *overrides: str) -> dict[str, Any]:
        path = tmp_path / "pairs.tsv"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return adapt(config_of("adapt", f"run={run}", f"in={path}", *PACE, *overrides))

    return call


@pytest.fixture(scope="module")
def longer() -> list[str]:
    """Reversals of six letters, which are new."""
    return [f"{' '.join(own)}\t{' '.join(own[::-1])}" for own in strings(250, 6)]


@pytest.fixture(scope="module")
def nonsense() -> list[str]:
    """Strings of six letters with others that have nothing to do with them."""
    targets = strings(500, 7)[250:]
    return [f"{' '.join(own)}\t{' '.join(other)}" for own, other in zip(strings(250, 6), targets, strict=True)]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def answers(run: Path, config_of) -> list[str]:
    options = read_options(config_of("evaluate", f"run={run}", "device=cpu", "threads=1"))
    return open_translator(options)([" ".join(own) for length in (3, 6) for own in strings(20, length)])


def test_what_is_better_is_served_and_is_what_every_command_loads(run, adapted, longer, config_of, monkeypatch, caplog):
    kept: list[dict[str, Any]] = []
    before, own_state = answers(run, config_of), Learner.state
    monkeypatch.setattr(Learner, "state", lambda learner: kept.append(own_state(learner)) or kept[-1])
    with caplog.at_level("INFO"):
        report = adapted(run, longer)
    assert report["accepted"] == len(report["gates"]) >= 1
    assert report["version"] == report["accepted"]
    first = report["gates"][0]
    assert first["new"]["gain"] > 0.1
    assert first["new"]["interval"][0] > 0
    assert first["old"]["interval"][0] > -0.15
    assert "; version 1 is served" in caplog.text
    served = load_run(run).model.state_dict()
    assert all(torch.equal(weight, served[name]) for name, weight in kept[-1]["weights"].items())
    assert answers(run, config_of) != before == answers(run / "versions" / "0000", config_of)
    start = read_checkpoint(run / "checkpoints" / "best.ckpt")
    zero = read_checkpoint(run / "versions" / "0000" / "checkpoints" / "best.ckpt", whole=True)
    assert all(torch.equal(weight, zero["weights"][name]) for name, weight in start["weights"].items())
    last = read_checkpoint(find_checkpoint(run), whole=True)
    assert last["global_step"] == start["global_step"] + report["updates"]
    assert report["pairs"]["learnt_from"] + report["pairs"]["held_out"] == report["pairs"]["lines"] == 250


@pytest.mark.parametrize("score", ["loss", "null"])
def test_nonsense_is_refused_and_all_is_as_before_to_the_bit(run, adapted, nonsense, config_of, caplog, score):
    before, outputs = files(run), answers(run, config_of)
    report = adapted(run, nonsense, f"score={score}")
    assert (report["accepted"], report["version"], report["updates"]) == (0, 0, 0)
    assert len(report["gates"]) == report["refused"] == 2
    assert files(run) == before
    assert answers(run, config_of) == outputs
    assert f"nothing was accepted: run={run} is what it was, version 0" in caplog.text


def test_nonsense_after_what_was_accepted_leaves_that(run, adapted, longer, nonsense):
    version = adapted(run, longer)["version"]
    before = files(run)
    report = adapted(run, nonsense, "tolerance=0.01")
    assert (report["accepted"], report["version"]) == (0, version)
    assert files(run) == before


def test_after_nonsense_learning_goes_on_from_where_it_was(run, adapted, longer, nonsense, monkeypatch):
    """None of what was taken back is learnt from again."""
    steps: list[int] = []
    learnt: list[str] = []
    monkeypatch.setattr(Learner, "learn", _noted(Learner.learn, steps))
    own = adaptation.encoded
    monkeypatch.setattr(adaptation, "encoded", lambda some, *rest: learnt.extend(map(str, some)) or own(some, *rest))
    report = adapted(
        run, [*nonsense[:204], *longer], "most_held_out=1000", "rehearsal=0", "score=null", "tolerance=100"
    )
    assert report["gates"][0]["accepted"] is False
    assert steps[:42] == [*range(40), 0, 1]
    assert report["accepted"] >= 1
    new = [text for text in learnt if len(text.split("'")[1]) == 11]
    first = {str(Example(*(source, (target,)))) for source, target in (line.split("\t") for line in nonsense)}
    taken_back = set(new[: 40 * 16]) & first
    assert len(taken_back) > 140
    assert not set(new[40 * 16 :]) & taken_back


def _noted(learn: Callable[..., bool], steps: list[int]) -> Callable[..., bool]:
    def noting(learner: Learner, batch: Any) -> bool:
        steps.append(learner.updates)
        return learn(learner, batch)

    return noting


def test_the_same_pairs_make_the_same_versions_to_the_bit(run, adapted, longer, tmp_path):
    other = Path(shutil.copytree(run, tmp_path / "other"))
    reports = [adapted(folder, longer) for folder in (run, other)]
    assert reports[0] | {"run": ""} == reports[1] | {"run": ""}
    assert files(run / "versions") == files(other / "versions")


def test_a_second_call_goes_on_from_the_version_in_use(run, adapted, longer, monkeypatch):
    first = adapted(run, longer[:210])
    kept = read_checkpoint(find_checkpoint(run), whole=True)
    steps: list[int] = []
    monkeypatch.setattr(Learner, "learn", _noted(Learner.learn, steps))
    taken: list[dict[str, Any]] = []
    restore = Learner.restore
    monkeypatch.setattr(Learner, "restore", lambda own, state: (restore(own, state), taken.append(own.state())))
    second = adapted(run, longer[:210], "l2=0")
    assert steps[0] == kept["adaptation"]["updates"] == first["updates"]
    assert all(torch.equal(weight, kept["state_dict"][name]) for name, weight in taken[0]["state_dict"].items())
    assert taken[0]["average_updates"] == kept["adaptation"]["average_updates"]
    state = kept["adaptation"]["optimizer"]["state"]
    assert all(torch.equal(taken[0]["optimizer"]["state"][key]["exp_avg"], state[key]["exp_avg"]) for key in state)
    assert second["version"] == first["version"] + second["accepted"]


def test_a_large_l2_serves_the_start(run, adapted, longer):
    report = adapted(run, longer, "l2=1e9")
    before, after = (load_run(path).model.state_dict() for path in (run / "checkpoints" / "best.ckpt", run))
    assert all(torch.allclose(weight, after[name], atol=1e-6, rtol=0) for name, weight in before.items())
    assert all(abs(gate[side]["gain"]) < 1e-3 for gate in report["gates"] for side in ("new", "old"))


def test_nothing_is_learnt_from_what_is_judged_by(run, adapted, longer, monkeypatch):
    learnt: list[str] = []
    judged: list[list[str]] = []
    own, judge = adaptation.encoded, Adaptation._judge
    monkeypatch.setattr(
        adaptation, "encoded", lambda some, *rest: learnt.extend(e.source for e in some) or own(some, *rest)
    )
    monkeypatch.setattr(
        Adaptation,
        "_judge",
        lambda self: judged.append([e.source for e in [*self.new.held_out, *self.test.old]]) or judge(self),
    )
    adapted(run, [*longer, *longer], f"replay={run.parent / 'pairs.tsv'}")
    assert len(set(learnt)) > 150
    assert len(judged[-1]) > 100
    assert not set(learnt) & set(judged[-1])


def test_old_pairs_of_a_file_are_read_by_the_columns_of_the_run(start, tmp_path):
    path = tmp_path / "old.tsv"
    path.write_text("b\ta\nd\tc\n")
    data = {"_target_": "seq2seq.data.corpora.tsv.TSVCorpus", "train": "pairs.tsv", "source": 2, "target": 1}
    options = {"rehearsal": 1.0, "replay": str(path), "seed": 1}
    run = load_run(start)
    old = _old_examples(replace(run, config=run.config | {"data": data}), Splits([], []), options)
    assert [(own.source, own.targets) for own in old.examples] == [("a", ("b",)), ("c", ("d",))]


def test_a_gradient_that_is_not_finite_takes_all_since_the_gate_back(run, adapted, longer, monkeypatch, caplog):
    calls: list[int] = []
    taken: list[int] = []
    loss = CrossEntropy.loss

    def poisoned(self, *given):
        calls.append(1)
        return loss(self, *given) * (float("nan") if len(calls) == 7 else 1)

    restore = Learner.restore
    monkeypatch.setattr(CrossEntropy, "loss", poisoned)
    monkeypatch.setattr(Learner, "restore", lambda own, state: (restore(own, state), taken.append(own.updates)))
    report = adapted(run, longer)
    assert (report["lost"], taken[0]) == (1, 0)
    assert report["accepted"] >= 1
    assert "a gradient is not finite: the last 7 updates are taken back, and their pairs left" in caplog.text
    load_run(run)


def test_where_it_diverges_again_and_again_it_ends_and_leaves_the_run(run, adapted, longer, monkeypatch):
    before, loss = files(run), CrossEntropy.loss
    monkeypatch.setattr(CrossEntropy, "loss", lambda *given: loss(*given) * float("inf"))
    with pytest.raises(DivergedError) as error:
        adapted(run, longer)
    assert str(error.value) == (
        "adaptation has diverged 5 times in a row, and is taken back: a gradient is not finite: lower the learning "
        "rate, or look at the new pairs."
    )
    assert error.value.exit_code == 3
    assert files(run) == before
    assert not folder_lock.is_held_here(run)


def test_lines_that_are_no_pairs_are_told_and_left_out(run, adapted, longer, caplog):
    lines = [longer[0], "a b", "", "a\tb\tc", "\ta", " ".join("a" * 300) + "\ta", *longer[1:]]
    report = adapted(run, lines)
    told = {"lines": 254, "no_pairs": 2, "empty": 1, "too_long": 1}
    assert {name: report["pairs"][name] for name in told} == told
    assert "line 2 must be source<TAB>target, but has 0 tabs. It is left out" in caplog.text
    assert "line 4 must be source<TAB>target, but has 2 tabs. It is left out" in caplog.text


def test_pairs_come_as_json_and_from_stdin(run, config_of, longer, monkeypatch, tmp_path):
    pairs = [dict(zip(("source", "target"), line.split("\t"), strict=True)) for line in longer]
    text = "".join(f"{json.dumps(pair)}\n" for pair in pairs).encode()
    other = Path(shutil.copytree(run, tmp_path / "other"))
    (tmp_path / "pairs.jsonl").write_bytes(text)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    one = adapt(config_of("adapt", f"run={run}", f"in={tmp_path / 'pairs.jsonl'}", *PACE))
    two = adapt(config_of("adapt", f"run={other}", "in=-", "input=json", *PACE))
    assert one["gates"] == two["gates"]
    assert one["accepted"] >= 1


@pytest.mark.parametrize(
    ("lines", "overrides", "message"),
    [
        (["a b\tb a"], [], "in must bring 10 sources or more to judge by, and others to learn from, but brought "),
        (["a b"] * 3, [], "in must bring 10 sources or more to judge by, and others to learn from, but brought 0 and"),
        ([], ["in=nowhere"], "in=nowhere does not exist: give the path of a file"),
        ([], ["input=xml"], "input must be auto, tsv or json, but is 'xml'."),
        ([], ["replay=nowhere"], "replay=nowhere does not exist: give the path of a file"),
        ([], ["replay={empty}"], "The data file {empty} is empty: it must hold at least one line."),
        ([], ["rehearsal=0", "replay=x"], "replay=x has no effect where rehearsal is 0: leave one of them out."),
        ([], ["rehearsal=-1"], "rehearsal must be at least 0, but is -1."),
        ([], ["hold_out=1.0"], "hold_out must be above 0 and below 1, but is 1.0."),
        ([], ["l2=-1"], "l2 must be at least 0, but is -1"),
        ([], ["tolerance=-1"], "tolerance must be at least 0, but is -1"),
        ([], ["bootstrap=5"], "bootstrap must be at least 100, but is 5."),
        ([], ["every=0"], "every must be a whole number of at least 1, but is 0."),
        ([], ["most_held_out=9"], "most_held_out must be a whole number of at least 10, but is 9."),
        ([], ["score=bleu"], "score must be null, what the run was monitored by, or loss, but is 'bleu'."),
        ([], ["score=null", "metrics=pronunciation"], "metrics must keep exact_match, which the run was monitored by"),
        ([], ["objective=minimum_risk"], "objective must be cross_entropy or r_drop, but is MinimumRisk."),
        ([], ["freeze=[encodr]"], "freeze must name parts of the model with weights, but 'encodr' is none"),
        ([], ["averaging.decay=1.0"], "averaging.decay must be at least 0 and below 1, but is 1.0."),
        ([], ["run=nowhere"], "run=nowhere does not exist: give a run folder or a checkpoint file."),
        ([], ["run={tmp}"], "run={tmp} holds no checkpoint: there is no checkpoints/best.ckpt or last.ckpt in it."),
        ([], ["run={run}/checkpoints/best.ckpt"], "run={run}/checkpoints/best.ckpt must be a run folder, whose "),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_changes_nothing(start, adapted, tmp_path, lines, overrides, message):
    (tmp_path / "empty.tsv").touch()
    names = {"run": start, "empty": tmp_path / "empty.tsv", "tmp": tmp_path}
    before = files(start)
    with pytest.raises(UserError) as error:
        adapted(start, lines, *(text.format(**names) for text in overrides))
    assert str(error.value).startswith(message.format(**names))
    assert "\n" not in str(error.value)
    assert files(start) == before
    assert not folder_lock.is_held_here(start)


def test_a_run_that_is_held_is_left_alone(start, adapted, longer):
    folder_lock.hold(start)
    try:
        with pytest.raises(UserError) as error:
            adapted(start, longer)
    finally:
        folder_lock.release(start)
    said = f"run={start} is held by a process that trains or adapts it: wait for its end, or stop it."
    assert str(error.value) == said


def test_a_version_is_no_run_to_adapt(run, adapted, longer):
    adapted(run, longer)
    with pytest.raises(UserError, match="must be a run folder, whose versions are written into it, but is not one."):
        adapted(run / "versions" / "0001", longer)
