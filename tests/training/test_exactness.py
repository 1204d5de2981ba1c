"""Whatever is on, a run that is killed behind any step and resumed keeps all that the uninterrupted run keeps."""

from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq.training.module import Seq2SeqModule

# Behind every step there is a checkpoint to go on from; validations come at steps that no window and no epoch ends at.
RUN = [
    "averaging.decay=0.5",
    "model.dropout=0.3",
    "schedule=plateau",
    "schedule.patience=1",
    "saving.every_minutes=1e-9",
]
RUN += ["trainer.val_check_interval=3", "budget.max_steps=10"]
TRIGGERED = ["averaging.kind=triggered", "averaging.patience=1", "averaging.decay=null"]
BAD = ["monitor.metric=dev/loss", "monitor.mode=max", "callbacks=early_stopping"]
SAMPLING = "scheduled_sampling"
TIMED = ("Cost", "Throughput", "History")  # callbacks whose states hold seconds
OPTIONS = {
    "accumulation of 2": ["trainer.accumulate_grad_batches=2"],
    "accumulation of 3": ["trainer.accumulate_grad_batches=3", "trainer.val_check_interval=1", *TRIGGERED],
    "constant": [f"{SAMPLING}=constant", f"{SAMPLING}.share=0.8", f"{SAMPLING}.passes=2"],
    "linear": [f"{SAMPLING}=linear", f"{SAMPLING}.duration=0.5", f"{SAMPLING}.feed=sample"],
    "exponential": [f"{SAMPLING}=exponential", f"{SAMPLING}.base=0.8", f"{SAMPLING}.unit=sequence"],
    "inverse sigmoid": [f"{SAMPLING}=inverse_sigmoid", f"{SAMPLING}.feed=mixture", "model=bahdanau"],
    "early stopping": [*BAD, "callbacks.early_stopping.patience=9"],
    "stopped early": [*BAD, "callbacks.early_stopping.patience=1"],
    "byte pairs": ["tokenizer=bpe", "tokenizer.source_size=12", "tokenizer.target_size=12", "segmentation=sampled"],
    "growth": ["batch_growth=doubling", "batch_growth.every=4", "curriculum=length", "curriculum.steps=6"],
}
MORE = {"byte pairs": ["data=copy", "tokenizer.exact_size=false"], "growth": ["curriculum.start=3"]}


@pytest.fixture
def kill_at(monkeypatch):
    """End training at steps, as a process that is killed does: nothing is saved there."""

    def arrange(*steps: int) -> None:
        training_step, left = Seq2SeqModule.training_step, list(steps)

        def dying(self, *arguments):
            if left and self.global_step == left[0]:
                raise RuntimeError(f"killed at step {left.pop(0)}")
            return training_step(self, *arguments)

        monkeypatch.setattr(Seq2SeqModule, "training_step", dying)

    return arrange


def kept(folder: Path, name: str) -> dict[str, Any]:
    """All that a checkpoint keeps, but for seconds and the digests of them."""
    found = torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
    callbacks = {key: state for key, state in found["callbacks"].items() if key not in TIMED}
    return {key: value for key, value in found.items() if key not in ("seconds", "digests")} | {"callbacks": callbacks}


def assert_identical(left: Any, right: Any, place: str = "") -> None:
    assert type(left) is type(right), place
    if isinstance(left, torch.Tensor):
        assert torch.equal(left, right), place
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), place
        for key in left:
            assert_identical(left[key], right[key], f"{place}.{key}")
    elif isinstance(left, list | tuple):
        assert len(left) == len(right), place
        for index, pair in enumerate(zip(left, right, strict=True)):
            assert_identical(*pair, f"{place}[{index}]")
    else:
        assert left == right, place


@pytest.mark.parametrize("name", OPTIONS)
def test_a_run_that_is_killed_twice_is_the_uninterrupted(train_tiny, tmp_path, kill_at, name):
    options = [*RUN, *OPTIONS[name], *MORE.get(name, [])]
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    train_tiny(whole, *options)
    stops = (2, 4) if name == "stopped early" else (4, 7)
    kill_at(*stops)
    for resume in (False, True):
        with pytest.raises(RuntimeError, match="killed at step"):
            train_tiny(parted, *options, resume=resume)
    train_tiny(parted, *options, resume=True)
    for checkpoint in ("last", "best"):
        assert_identical(kept(parted, checkpoint), kept(whole, checkpoint))
    assert kept(whole, "last")["global_step"] == (6 if name == "stopped early" else 10)


def test_other_validations_change_no_weights(train_tiny, tmp_path, kill_at):
    """Where nothing follows from validations."""
    options = [*RUN[:2], *RUN[4:], "schedule=constant", f"{SAMPLING}=constant"]
    train_tiny(tmp_path / "whole", *options)
    kill_at(5)
    with pytest.raises(RuntimeError, match="killed"):
        train_tiny(tmp_path / "parted", *options)
    train_tiny(tmp_path / "parted", *options, "trainer.val_check_interval=2", resume=True)
    for part in ("state_dict", "weights", "optimizer_states", "average_updates"):
        found, wanted = (kept(tmp_path / folder, "last")[part] for folder in ("parted", "whole"))
        assert_identical(found, wanted)


def test_workers_cannot_be_asked_for(config_of):
    """Batches are in memory: there is no worker whose state could be lost."""
    with pytest.raises(Exception, match="num_workers"):
        config_of("train", "batches.num_workers=2")
