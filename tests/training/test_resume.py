"""An interrupted run that is resumed is the uninterrupted run, bit for bit."""

import json
import shlex
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor

from seq2seq.config.builder import build
from seq2seq.config.overrides import parsed
from seq2seq.data.batching import BatchPlan
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.run_folder import open_run_folder
from seq2seq.training.module import Seq2SeqModule

# All that draws random numbers is on; nothing depends on how long the run will be.
RUN = [
    "model.dropout=0.3",
    "schedule=constant",
    "schedule.warmup_steps=4",
    "scheduled_sampling=exponential",
    "scheduled_sampling.base=0.9",
    "scheduled_sampling.floor=0.3",
    "scheduled_sampling.feed=sample",
    "trainer.val_check_interval=3",
]
AFTER = 5  # steps of the second epoch


@pytest.fixture(scope="module")
def plan(tiny_config) -> BatchPlan:
    config = tiny_config(*RUN)
    splits = build(config["data"], "").load()
    tokenizers = build(config["tokenizer"], "").train(splits.train)
    return build(config["batches"], "")(splits=splits, tokenizers=tokenizers).train_plan


@pytest.fixture(scope="module")
def epoch(plan) -> int:
    """Steps of the first epoch."""
    return len(plan.epoch(0))


@pytest.fixture(scope="module")
def uninterrupted(train_tiny, epoch, tmp_path_factory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    train_tiny(folder, *RUN, f"budget.max_steps={epoch + AFTER}")
    return last(folder)


@pytest.fixture(scope="module")
def _kept(train_tiny, tmp_path_factory) -> tuple[Path, Path]:
    """The folder of a run that stopped at step 4, and a copy of it."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    folder.mkdir()
    train_tiny(folder, *RUN, "budget.max_steps=4")
    return folder, Path(shutil.copytree(folder, folder.with_name("copy")))


@pytest.fixture
def stopped(_kept) -> Path:
    """The folder of a run that stopped at step 4, to go on in."""
    folder, copy = _kept
    shutil.rmtree(folder)
    return Path(shutil.copytree(copy, folder))


def last(folder: Path) -> dict[str, Any]:
    """All of the last checkpoint that training goes on from."""
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    names = ("state_dict", "weights", "average_updates", "optimizer_states", "global_step", "epoch")
    return {name: checkpoint[name] for name in names}


def assert_identical(left: Any, right: Any, path: str = "") -> None:
    assert type(left) is type(right), path
    if isinstance(left, Tensor):
        assert torch.equal(left, right), path
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), path
        for key in left:
            assert_identical(left[key], right[key], f"{path}.{key}")
    elif isinstance(left, list):
        assert len(left) == len(right), path
        for index, pair in enumerate(zip(left, right, strict=True)):
            assert_identical(*pair, f"{path}[{index}]")
    else:
        assert left == right, path


def test_batches_differ_in_size_and_epochs_in_order(plan, epoch):
    sizes = [len(rows) for rows in plan.epoch(0)]
    assert len(set(sizes)) > 2
    assert sizes != [len(rows) for rows in plan.epoch(1)]
    assert epoch > AFTER


@pytest.mark.parametrize("place", ["mid-epoch", "mid-epoch at a validation", "epoch's end", "second epoch"])
def test_resumed_is_uninterrupted(train_tiny, uninterrupted, epoch, stopped, tmp_path, place):
    steps = {"mid-epoch": 4, "mid-epoch at a validation": 6, "epoch's end": epoch, "second epoch": epoch + 2}[place]
    folder = stopped if steps == 4 else tmp_path
    if folder == tmp_path:
        train_tiny(folder, *RUN, f"budget.max_steps={steps}")
    interrupted = last(folder)
    assert interrupted["global_step"] == steps
    train_tiny(folder, *RUN, f"budget.max_steps={epoch + AFTER}", resume=True)
    assert_identical(last(folder), uninterrupted)
    assert not torch.equal(interrupted["state_dict"]["model.output.bias"], uninterrupted["weights"]["output.bias"])


@pytest.fixture(scope="module", params=[(3, 2), (4, 1)], ids=lambda pair: f"{pair[0]} batches a step")
def accumulated(request, train_tiny, tmp_path_factory) -> tuple[list[str], dict[str, Any]]:
    """The overrides of a run whose steps are of several batches, and its end after two epochs."""
    folder, (batches, interval) = tmp_path_factory.mktemp("accumulated"), request.param
    overrides = [*RUN[:-1], f"trainer.accumulate_grad_batches={batches}", f"trainer.val_check_interval={interval}"]
    train_tiny(folder, *overrides, "budget.max_steps=7")
    return overrides, last(folder)


@pytest.mark.parametrize("steps", [3, 4])
def test_resumed_is_uninterrupted_while_gradients_accumulate(train_tiny, accumulated, tmp_path, steps):
    overrides, expected = accumulated
    train_tiny(tmp_path, *overrides, f"budget.max_steps={steps}")
    assert last(tmp_path)["global_step"] == steps
    train_tiny(tmp_path, *overrides, "budget.max_steps=7", resume=True)
    assert_identical(last(tmp_path), expected)


@pytest.mark.parametrize("batches", [3, 4])
def test_epochs_end_in_shorter_windows(epoch, batches):
    """So no number of batches is a number of steps."""
    assert epoch % batches


def test_a_finished_run_refuses_to_go_on(train_tiny, tmp_path):
    train_tiny(tmp_path, "budget.max_steps=2")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError) as error:
        train_tiny(tmp_path, "budget.max_steps=2", resume=True)
    assert str(error.value) == (
        "The run has used up its budget (max_steps=2) at step 2: raise budget.max_steps or budget.max_minutes to go on."
    )
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_finished_run_whose_report_is_missing_gets_it(train_tiny, tmp_path, caplog):
    scores = train_tiny(tmp_path, "budget.max_steps=2")
    (tmp_path / "metrics.json").unlink()
    checkpoints = {path: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()}
    assert train_tiny(tmp_path, "budget.max_steps=2", resume=True) == scores
    assert "raise budget.max_steps or budget.max_minutes to go on. Its report was missing" in caplog.text
    assert json.loads((tmp_path / "metrics.json").read_text())["step"] == 2
    assert checkpoints == {path: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()}


@pytest.fixture
def long_steps(monkeypatch):
    """Steps so long that what a record rounds and an end takes is little beside them."""
    step = Seq2SeqModule.training_step
    monkeypatch.setattr(Seq2SeqModule, "training_step", lambda self, *given: (time.sleep(0.4), step(self, *given))[1])


def test_a_report_of_an_end_before_is_no_report_of_this_one(train_tiny, long_steps, tmp_path, caplog):
    train_tiny(tmp_path, "budget.max_steps=2")
    before = (tmp_path / "metrics.json").read_bytes()
    train_tiny(tmp_path, "budget.max_steps=4", resume=True)
    after = json.loads((tmp_path / "metrics.json").read_bytes())
    assert (json.loads(before)["last_step"], after["last_step"]) == (2, 4)
    assert after["training_seconds"] > json.loads(before)["training_seconds"]
    (tmp_path / "metrics.json").write_bytes(before)  # as if the run had been killed while it scored
    train_tiny(tmp_path, "budget.max_steps=4", resume=True)
    assert "Its report was missing, and is made now." in caplog.text
    again = json.loads((tmp_path / "metrics.json").read_bytes())
    assert (again["last_step"], again["scores"]) == (4, after["scores"])
    trained = read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["seconds"]
    assert again["training_seconds"] >= round(trained, 1) > 1.5  # four steps of 0.4 s
    with pytest.raises(UserError, match="has used up its budget"):
        train_tiny(tmp_path, "budget.max_steps=4", resume=True)


def test_a_run_that_stopped_early_refuses_to_go_on(train_tiny, tmp_path):
    stopping = ["callbacks=early_stopping", "callbacks.early_stopping.patience=2", "trainer.val_check_interval=1"]
    stopping += ["monitor.metric=dev/loss", "monitor.mode=min", "+callbacks.early_stopping.min_delta=1000.0"]
    train_tiny(tmp_path, *stopping, "budget.max_steps=6")
    with pytest.raises(UserError) as error:
        train_tiny(tmp_path, *stopping, "budget.max_steps=6", resume=True)
    assert str(error.value) == (
        "The run has stopped early at step 3, as 2 validations in a row were no better: "
        "raise callbacks.early_stopping.patience to go on."
    )


def test_a_run_without_a_checkpoint_cannot_be_resumed(train_tiny, tmp_path):
    train_tiny(tmp_path, "budget.max_steps=2")
    for name in ("last", "best"):
        (tmp_path / "checkpoints" / f"{name}.ckpt").unlink()
    with pytest.raises(UserError) as error:
        train_tiny(tmp_path, "budget.max_steps=4", resume=True)
    assert str(error.value) == (
        f"resume=true needs {tmp_path}/checkpoints/last.ckpt, but there is none, as the run stopped before its first "
        "step was saved: leave resume=true out, and a run is started anew there."
    )


def test_weight_decay_that_a_run_began_without_is_refused(train_tiny, tmp_path):
    train_tiny(tmp_path, "budget.max_steps=2", "trainer.val_check_interval=2")
    with pytest.raises(UserError) as error:
        train_tiny(tmp_path, "+optimizer.weight_decay=0.1", "budget.max_steps=4", resume=True)
    assert str(error.value) == (
        "optimizer.weight_decay is new to this run, which began without: start another, with init."
    )


def test_other_options_of_the_optimizer_take_effect(train_tiny, tmp_path):
    adamw = ["optimizer=adamw", "schedule=constant", "schedule.warmup_steps=0", "trainer.val_check_interval=2"]
    train_tiny(tmp_path, *adamw, "budget.max_steps=2")
    changed = ["optimizer.lr=0.125", "optimizer.betas=[0.5,0.75]", "optimizer.eps=0.25", "optimizer.weight_decay=0.5"]
    train_tiny(tmp_path, *adamw, *changed, "budget.max_steps=4", resume=True)
    (state,) = last(tmp_path)["optimizer_states"]
    group, spared = state["param_groups"]
    assert spared["weight_decay"] == 0.0
    assert {name: group[name] for name in ("lr", "eps", "weight_decay")} == {
        "lr": 0.125,
        "eps": 0.25,
        "weight_decay": 0.5,
    }
    assert tuple(group["betas"]) == (0.5, 0.75)


def test_another_patience_takes_effect(train_tiny, tmp_path):
    """After one validation that brought nothing, a patience of one more ends training at the next."""
    stopping = [
        "callbacks=early_stopping",
        "monitor.metric=dev/loss",
        "monitor.mode=min",
        "callbacks.early_stopping.patience=9",
        "+callbacks.early_stopping.min_delta=1000.0",
        "trainer.val_check_interval=1",
    ]
    train_tiny(tmp_path, *stopping, "budget.max_steps=2")
    train_tiny(tmp_path, *stopping, "callbacks.early_stopping.patience=2", "budget.max_steps=6", resume=True)
    assert last(tmp_path)["global_step"] == 3


@pytest.fixture(scope="module")
def unchanged(train_tiny, tmp_path_factory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("unchanged")
    train_tiny(folder, *RUN, "budget.max_steps=7")
    return last(folder)


@pytest.mark.parametrize(
    "change",
    [
        "schedule.warmup_steps=50",
        "model.dropout=0.9",
        "objective.label_smoothing=0.9",
        "gradients.max_norm=0.001",
        "averaging.decay=0.1",
        "batches.max_tokens=32",
    ],
)
def test_what_is_changed_changes_what_is_learnt(train_tiny, unchanged, stopped, change):
    train_tiny(stopped, *RUN, "budget.max_steps=7", change, resume=True)
    found = last(stopped)
    assert found["global_step"] == 7
    with pytest.raises(AssertionError):
        assert_identical(found, unchanged)


def test_a_position_beyond_the_epoch_of_another_plan_ends_that_epoch(train_tiny, epoch, tmp_path):
    assert epoch > 3  # batches of before, of which there is one now
    train_tiny(tmp_path, *RUN, f"budget.max_steps={epoch - 1}")
    wide = ["batches.max_tokens=100000", "batches.max_sentences=100000"]
    train_tiny(tmp_path, *RUN, *wide, f"budget.max_steps={epoch + 2}", resume=True)
    assert (last(tmp_path)["global_step"], last(tmp_path)["epoch"]) == (epoch + 2, 3)


def test_what_lies_beside_the_checkpoint_is_not_needed(train_tiny, stopped):
    for side in ("source", "target"):
        (stopped / "tokenizers" / f"{side}.model").write_bytes(b"no tokenizer")
    (stopped / "config.yaml").unlink()
    train_tiny(stopped, *RUN, "budget.max_steps=5", resume=True)
    assert last(stopped)["global_step"] == 5


def test_another_interval_of_validations_takes_effect(train_tiny, tmp_path, capsys):
    train_tiny(tmp_path, *RUN, "budget.max_steps=3")
    capsys.readouterr()
    train_tiny(tmp_path, *RUN, "budget.max_steps=6", "trainer.val_check_interval=1", resume=True)
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == ["4", "5", "6"]


def test_a_run_that_is_interrupted_before_its_first_checkpoint_can_be_started_again(
    train_tiny, tmp_path, interrupt_at, caplog
):
    folder = tmp_path / "run"
    folder.mkdir()
    interrupt_at(1)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(folder, *RUN, "budget.max_steps=3")
    assert caplog.messages[-1] == f"interrupted at step 1; no checkpoint was due yet, and {folder} is removed"
    assert not folder.exists()
    folder.mkdir()
    train_tiny(folder, *RUN, "budget.max_steps=3")
    assert last(folder)["global_step"] == 3


def test_a_run_that_is_interrupted_says_how_to_go_on(train_tiny, tmp_path, interrupt_at, caplog, monkeypatch):
    folder = tmp_path / "my run, ü"
    folder.mkdir()
    monkeypatch.setattr("sys.argv", ["scripts/train.py"])
    interrupt_at(4)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(folder, *RUN, "budget.max_steps=6")
    said = caplog.messages[-1]
    assert said.startswith("interrupted at step 4; continue with python scripts/train.py ")
    assert said.endswith(" resume=true")
    assert parsed(shlex.split(said)[-2]).value() == str(folder)
    train_tiny(folder, *RUN, "budget.max_steps=6", resume=True)
    assert last(folder)["global_step"] == 6


def test_a_copied_folder_keeps_its_best(train_tiny, tmp_path, recwarn):
    first, copy = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    run = [*RUN, "monitor.metric=dev/loss", "monitor.mode=min"]  # of equal scores the last would be the best
    train_tiny(first, *run, "budget.max_steps=6")
    shutil.copytree(first, copy)
    best = (copy / "checkpoints" / "best.ckpt").read_bytes()
    # Weights that are ruined are worse than those of before, whose score the folder knows wherever it is.
    train_tiny(copy, *run, "budget.max_steps=9", "optimizer.lr=10", "averaging.decay=0.0", resume=True)
    assert (copy / "checkpoints" / "best.ckpt").read_bytes() == best
    assert not [str(one.message) for one in recwarn if "dirpath has changed" in str(one.message)]
    state = torch.load(copy / "checkpoints" / "last.ckpt", weights_only=True)
    assert str(tmp_path) not in str(state["callbacks"])


@pytest.mark.parametrize("damage", ["cut", "missing"])
def test_where_the_last_checkpoint_is_not_whole_the_best_is_taken(
    train_tiny, uninterrupted, epoch, tmp_path, caplog, damage
):
    train_tiny(tmp_path, *RUN, "budget.max_steps=6")
    place = tmp_path / "checkpoints" / "last.ckpt"
    step = torch.load(place.with_name("best.ckpt"), weights_only=True)["global_step"]
    part = place.with_name(".last.ckpt.4711.part")
    part.write_bytes(b"of a process that was killed")
    place.write_bytes(place.read_bytes()[:-1000]) if damage == "cut" else place.unlink()
    open_run_folder(OmegaConf.create({"run_dir": str(tmp_path), "resume": True}))
    assert caplog.messages[-1] == (
        f"checkpoints/last.ckpt is not whole: the run goes on from best.ckpt, of step {step}"
    )
    train_tiny(tmp_path, *RUN, f"budget.max_steps={epoch + AFTER}", resume=True)
    assert_identical(last(tmp_path), uninterrupted)
    assert not part.exists()
