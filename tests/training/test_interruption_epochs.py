"""A run whose epochs have unlike numbers of batches goes on to the bit behind every one of its steps."""

import os
import signal

import pytest
import torch

from seq2seq.training.module import Seq2SeqModule

STEPS = 12
EPOCHS = {
    "curriculum": ["curriculum=competence", "curriculum.steps=1"],
    "growing batches": ["batch_growth=doubling", "batch_growth.every=1", "batches.max_tokens=100"],
    "accumulated": ["curriculum=competence", "curriculum.steps=1", "trainer.accumulate_grad_batches=2"],
    "cut": ["curriculum=competence", "curriculum.steps=1", "+trainer.limit_train_batches=3"],
}


@pytest.fixture(scope="module", params=EPOCHS)
def run(request, train_tiny, tmp_path_factory):
    """The overrides of a run, what it ended with, and the steps at which its epochs began."""
    folder, begun = tmp_path_factory.mktemp("whole"), []
    overrides = [
        *EPOCHS[request.param],
        "monitor.metric=dev/loss",
        "monitor.mode=min",
        "trainer.val_check_interval=2",
        f"budget.max_steps={STEPS}",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Seq2SeqModule, "on_train_epoch_start", lambda self: begun.append(self.global_step))
        train_tiny(folder, *overrides)
    return overrides, kept(folder), begun


def kept(folder):
    """What the checkpoints hold, but for seconds, and how many epochs had begun."""
    return [_kept(folder / "checkpoints" / f"{name}.ckpt") for name in ("last", "best")]


def _kept(path):
    found = torch.load(path, weights_only=True)
    names = ("weights", "state_dict", "optimizer_states", "average_updates", "validations_seen", "global_step", "epoch")
    progress = found["loops"]["fit_loop"]["epoch_progress"]
    return {name: found.get(name) for name in names} | {"epochs": progress["current"]["ready"]}


@pytest.fixture
def stopped_behind(train_tiny, tmp_path):
    """Train until a step is done, or the validation behind it is under way: stopped_behind(3, overrides)."""

    def stop(step: int, overrides: list[str], hook: str = "training_step", **resume: bool) -> None:
        called = getattr(Seq2SeqModule, hook)

        def stopping(self, *arguments):
            if self.global_step == step - (hook == "training_step"):
                os.kill(os.getpid(), signal.SIGTERM)
            return called(self, *arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Seq2SeqModule, hook, stopping)
            with pytest.raises(SystemExit):
                train_tiny(tmp_path, *overrides, **resume)

    return stop


def test_epochs_are_unlike(run):
    overrides, _, begun = run
    lengths = {end - start for start, end in zip(begun, begun[1:], strict=False)}
    assert len(begun) > 2, begun
    assert len(lengths) > 1 or "+trainer.limit_train_batches=3" in overrides, begun


def test_a_run_that_is_stopped_behind_every_step_goes_on_as_the_uninterrupted(
    run, stopped_behind, train_tiny, tmp_path
):
    overrides, whole, _ = run
    for step in range(1, STEPS):
        stopped_behind(step, overrides, resume=step > 1)
    train_tiny(tmp_path, *overrides, resume=True)
    torch.testing.assert_close(kept(tmp_path), whole, rtol=0, atol=0)


def test_a_validation_behind_an_epoch_that_is_cut_is_of_that_epoch(run, stopped_behind, train_tiny, tmp_path):
    overrides, _, begun = run
    step = begun[-1]
    until = [*overrides, "trainer.val_check_interval=1", f"budget.max_steps={step}"]
    (tmp_path / "whole").mkdir()
    train_tiny(tmp_path / "whole", *until)
    stopped_behind(step, until, "validation_step")
    train_tiny(tmp_path, *until, resume=True)
    torch.testing.assert_close(kept(tmp_path), kept(tmp_path / "whole"), rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("step", range(1, STEPS))
def test_so_does_one_that_is_stopped_behind_any_step(step, run, stopped_behind, train_tiny, tmp_path):
    overrides, whole, _ = run
    stopped_behind(step, overrides)
    train_tiny(tmp_path, *overrides, resume=True)
    torch.testing.assert_close(kept(tmp_path), whole, rtol=0, atol=0)
