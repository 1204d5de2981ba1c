"""Checkpoints between validations, by time and by steps: they change no run, and each can be gone on from."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import pytorch_lightning as lightning
import torch
from kept_runs import last, same

from seq2seq.commands.average import average
from seq2seq.commands.training.mistakes import refuse_mistakes
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.run import load_run
from seq2seq.training.budget import Budget
from seq2seq.training.halving import HalvedSteps
from seq2seq.training.interruption import Interruption
from seq2seq.training.saving import CheckpointPolicy, StepSaving

RUN = ["averaging.decay=0.5", "model.dropout=0.3", "trainer.val_check_interval=3", "budget.max_steps=8", "logger=csv"]
OFTEN = ["saving.keep=[best,last,every 2]", "saving.every_minutes=1e-9"]


@pytest.fixture(scope="module")
def plain(train_tiny, tmp_path_factory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("plain")
    train_tiny(folder, *RUN)
    return last(folder)


@pytest.fixture(scope="module")
def often(train_tiny, tmp_path_factory) -> Path:
    """A run that saved behind every step."""
    folder = tmp_path_factory.mktemp("often")
    train_tiny(folder, *RUN, *OFTEN)
    return folder


def test_saving_changes_no_run(plain, often):
    assert same(last(often), plain)
    for name, value in plain["optimizer_states"][0]["state"][0].items():
        assert torch.equal(last(often)["optimizer_states"][0]["state"][0][name], value)


def test_those_of_steps_stay_and_are_runs_like_others(often, config_of, tmp_path):
    checkpoints = sorted(path.name for path in (often / "checkpoints").iterdir())
    assert checkpoints == ["best.ckpt", "last.ckpt", *(f"step-00000{step}.ckpt" for step in (2, 4, 6, 8))]
    place = often / "checkpoints"
    assert [read_checkpoint(place / f"step-00000{step}.ckpt", whole=True)["global_step"] for step in (2, 6)] == [2, 6]
    assert load_run(place / "step-000004.ckpt").step == 4
    record = average(config_of("average", f"run={place}/step-*.ckpt", f"out={tmp_path / 'mean'}"))
    assert len(record["members"]) == 4


@pytest.mark.parametrize("step", [2, 4, 6])  # a validation belongs behind the last of them
def test_each_can_be_gone_on_from_to_the_bit(train_tiny, often, plain, tmp_path, step):
    folder = Path(shutil.copytree(often, tmp_path / "run"))
    shutil.copy(often / "checkpoints" / f"step-00000{step}.ckpt", folder / "checkpoints" / "last.ckpt")
    train_tiny(folder, *RUN, *OFTEN, resume=True)
    assert same(last(folder), plain)
    assert (folder / "checkpoints" / "step-000008.ckpt").is_file()


def test_a_run_that_is_killed_goes_on_from_the_last_step_that_was_saved(train_tiny, plain, tmp_path, interrupt_at):
    interrupt_at(5)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path, *RUN, *OFTEN)
    assert last(tmp_path)["global_step"] == 5
    train_tiny(tmp_path, *RUN, *OFTEN, resume=True)
    assert same(last(tmp_path), plain)
    assert len([*(tmp_path / "checkpoints").glob("step-*.ckpt")]) == 4


def test_minutes_are_counted_from_what_was_saved_last(train_tiny, tmp_path, monkeypatch):
    """Every step takes four minutes; validation comes after the fourth."""
    now, saved, save = [0.0], [], Interruption._save

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return now[0]

    def passing(self, trainer):
        now[0] += 240
        ended(self, trainer)

    def saving(self, trainer, names):
        saved.append((trainer.global_step, names))
        save(self, trainer, names)

    ended = Interruption.after_step
    monkeypatch.setattr("seq2seq.training.saving.time", Clock)
    monkeypatch.setattr(Interruption, "after_step", passing)
    monkeypatch.setattr(Interruption, "_save", saving)
    train_tiny(tmp_path, *RUN[:2], "trainer.val_check_interval=4", "budget.max_steps=8")
    assert saved == [(3, ["last"]), (7, ["last"])]


def test_without_the_best_the_last_is_what_is_kept(train_tiny, tmp_path):
    train_tiny(tmp_path, *RUN[:2], "saving.keep=[last]", "saving.every_minutes=null", "budget.max_steps=2")
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]
    assert load_run(tmp_path).step == 2


@pytest.mark.parametrize("first", [True, False])
def test_the_first_process_says_when_it_is_time(monkeypatch, first):
    """Only its clock is asked, and all save together."""
    shared: list[list[int]] = []

    def all_reduce(tensor: torch.Tensor, _: Any) -> None:
        shared.append(tensor.tolist())
        tensor.copy_(torch.tensor([0, 1, 0]))

    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    saving = StepSaving(CheckpointPolicy(every_minutes=1e-9))
    trainer = Mock(lightning.Trainer, is_global_zero=first, global_step=3, strategy=strategy, callbacks=[saving])
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "all_reduce", all_reduce)
    saved: list[Any] = []
    interruption = Interruption(Budget(max_steps=9), HalvedSteps())
    monkeypatch.setattr(interruption, "_save", lambda _, names: saved.append(names))
    interruption.after_step(trainer)
    assert (shared, saved) == ([[0, int(first), 0]], [["last"]])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("keep=[best]", "keep must hold last, from which a run goes on, but is ['best']: add it."),
        ("keep=[]", "keep must hold last, from which a run goes on, but is []: add it."),
        ("keep=[last,every 0]", "keep must hold best, last and 'every N', as in 'every 4000', but holds 'every 0'."),
        ("keep=[last,all]", "keep must hold best, last and 'every N', as in 'every 4000', but holds 'all'."),
        ("keep=[last,last]", "keep must hold best, last and 'every N' once each, but is ['last', 'last']."),
        (
            "keep=[last,every 2,every 3]",
            "keep must hold best, last and 'every N' once each, but is ['last', 'every 2',",
        ),
        ("keep=[last,4000]", "keep must hold best, last and 'every N', as in 'every 4000', but holds 4000."),
        (
            "every_minutes=0.0",
            "every_minutes must be above 0, but is 0.0: null saves at validations and signals alone.",
        ),
        ("every_minutes=-1.5", "every_minutes must be above 0, but is -1.5: "),
        ("every_minutes=soon", "every_minutes must be float | None, but is 'soon'."),
    ],
)
def test_what_cannot_be_is_refused_before_data_are_read(tiny_config, tmp_path, override, message):
    with pytest.raises(UserError) as error:
        refuse_mistakes(tiny_config(f"saving.{override}"), tmp_path)
    assert str(error.value).startswith(f"saving.{message}")
