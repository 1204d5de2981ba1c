"""Options of the training regime in whole runs: each changes the result, goes on as it was, and is refused early."""

from typing import Any

import pytest
import torch

from seq2seq.commands.foresight import refuse_mistakes
from seq2seq.errors import UserError
from seq2seq.training.module import Seq2SeqModule

RUN = ["averaging.decay=0.5", "trainer.val_check_interval=2", "budget.max_steps=8"]
OPTIONS = {
    "gate": ["gradients=gate", "gradients.max_norm=0.01"],
    "adaptive": ["gradients=adaptive"],
    "noise": ["gradient_noise=annealed"],
    "linear": ["schedule=linear"],
    "one cycle": ["schedule=one_cycle"],
    "restarts": ["schedule=cosine_restarts", "schedule.cycles=2"],
    "plateau": ["schedule=plateau", "schedule.patience=1", "schedule.threshold=100.0"],
    "sgd": ["optimizer=sgd", "optimizer.momentum=0.5"],
    "adafactor": ["optimizer=adafactor"],
    "muon": ["optimizer=muon"],
    "nt-asgd": ["optimizer=sgd", "averaging.kind=triggered", "averaging.patience=1", "monitor.metric=dev/loss"],
    "swa": ["averaging.kind=swa", "averaging.start=0.3"],
    "triggered": ["averaging.kind=triggered", "averaging.patience=1", "monitor.metric=dev/loss", "monitor.mode=max"],
}


def last(folder) -> dict[str, Any]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Tell whether checkpoints have the same weights and averages, to the bit."""
    return all(
        torch.equal(left[part][name], right[part][name]) for part in ("state_dict", "weights") for name in left[part]
    )


@pytest.fixture(scope="module")
def plain(train_tiny, tmp_path_factory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("plain")
    train_tiny(folder, *RUN)
    return last(folder)


@pytest.fixture
def interrupt_at(monkeypatch):
    """Press Ctrl-C at a step of training, once."""

    def arrange(step: int) -> None:
        training_step, pressed = Seq2SeqModule.training_step, []

        def pressing(self, *arguments):
            if self.global_step == step and not pressed:
                pressed.append(step)
                raise KeyboardInterrupt
            return training_step(self, *arguments)

        monkeypatch.setattr(Seq2SeqModule, "training_step", pressing)

    return arrange


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_each_changes_the_result_and_goes_on_to_the_bit(train_tiny, tmp_path, plain, interrupt_at, options):
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    train_tiny(whole, *RUN, *options)
    assert not same(last(whole), plain)
    interrupt_at(5)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(parted, *RUN, *options)
    assert last(parted)["global_step"] == 4
    train_tiny(parted, *RUN, *options, resume=True)
    assert same(last(parted), last(whole))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["gradients=gate", "gradients.max_norm=0.0"], "gradients.max_norm must be above 0, but is 0.0: for gradien"),
        (["gradients=adaptive", "gradients.clipping=0.0"], "gradients.clipping must be above 0, but is 0.0: for grad"),
        (["averaging.kind=mean"], "averaging.kind must be ema, swa or triggered, but is 'mean'."),
        (["averaging.kind=swa", "averaging.start=1.0"], "averaging.start must be at least 0 and below 1, but is 1.0: "),
        (["averaging.kind=triggered", "averaging.patience=0"], "averaging.patience must be at least 1, but is 0."),
        (["averaging.start=soon"], "averaging.start must be float, but is 'soon'."),
        (["schedule=plateau", "schedule.monitor=dev/bleu"], "schedule.monitor must be one of dev/loss, "),
        (["schedule=plateau", "schedule.mode=up"], "schedule.mode must be max or min, but is 'up'."),
        (["schedule=one_cycle", "schedule.rise=0.6"], "schedule.rise must be above 0 and at most 0.5, but is 0.6: "),
        (["schedule=linear", "budget.max_steps=null"], "budget.max_steps or max_minutes must be set, but both are nu"),
        (["optimizer=sgd", "optimizer.nesterov=true"], "optimizer.nesterov needs a momentum above 0, and no dampening"),
        (["optimizer=adafactor", "optimizer.d=0.5"], "optimizer.d must be at least 1, but is 0.5."),
        (
            ["optimizer=adafactor", "optimizer.eps=[null,-1.0]"],
            "optimizer.eps must be at least 0, but is [None, -1.0].",
        ),
        (["optimizer=adafactor", "optimizer.beta2_decay=0.5"], "optimizer.beta2_decay must be below 0, but is 0.5: "),
        (
            ["optimizer=muon", "optimizer.momentum=1.0"],
            "optimizer.momentum must be at least 0 and below 1, but is 1.0.",
        ),
        (["optimizer=muon", "optimizer.lr=0.0"], "optimizer.lr must be above 0, but is 0.0."),
        (
            ["optimizer=muon", "rates={encoder:0.1}"],
            "rates cannot be given with optimizer=muon, which has groups of it",
        ),
        (["gradient_noise=annealed", "gradient_noise.eta=0.0"], "gradient_noise.eta must be above 0, but is 0.0: for"),
    ],
)
def test_what_cannot_be_is_refused_before_data_are_read(tiny_config, tmp_path, overrides, message):
    with pytest.raises(UserError) as error:
        refuse_mistakes(tiny_config(*overrides), tmp_path)
    assert str(error.value).startswith(message)
