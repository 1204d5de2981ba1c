"""Options of the training regime in whole runs: each changes the result, goes on as it was, and is refused early."""

import json
from typing import Any

import pytest
import torch
from kept_runs import last, same

from seq2seq.commands.training.mistakes import refuse_mistakes
from seq2seq.errors import DivergedError, UserError
from seq2seq.training.step import TrainingStep

RUN = ["averaging.decay=0.5", "trainer.val_check_interval=2", "budget.max_steps=8"]
TRIGGERED = ["averaging.kind=triggered", "averaging.decay=null", "averaging.patience=1"]
OPTIONS = {
    "gate": ["gradients=gate", "gradients.max_norm=0.01"],
    "adaptive": ["gradients=adaptive"],
    "recurrent dropout": ["model.cell.regularization.recurrent_dropout=0.3"],
    "noise": ["gradient_noise=annealed"],
    "linear": ["schedule=linear"],
    "one cycle": ["schedule=one_cycle"],
    "restarts": ["schedule=cosine_restarts", "schedule.cycles=2"],
    "plateau": ["schedule=plateau", "schedule.patience=1", "schedule.threshold=100.0"],
    "sgd": ["optimizer=sgd", "optimizer.momentum=0.5"],
    "adafactor": ["optimizer=adafactor"],
    "muon": ["optimizer=muon"],
    "nt-asgd": ["optimizer=sgd", *TRIGGERED, "monitor.metric=dev/loss", "monitor.mode=min"],
    "swa": ["averaging.kind=swa", "averaging.decay=null", "averaging.start=0.3"],
    "triggered": [*TRIGGERED, "monitor.metric=dev/loss", "monitor.mode=max"],
    "triggered by another score": [*TRIGGERED, "averaging.monitor=dev/loss", "averaging.mode=max"],
}


@pytest.fixture(scope="module")
def plain(train_tiny, tmp_path_factory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("plain")
    train_tiny(folder, *RUN)
    return last(folder)


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
        (
            ["averaging.kind=swa", "averaging.decay=null", "averaging.start=1.0"],
            "averaging.start must be at least 0 and below 1, but is 1.0: ",
        ),
        ([*TRIGGERED[:2], "averaging.patience=0"], "averaging.patience must be at least 1, but is 0."),
        (["averaging.start=soon"], "averaging.start must be float, but is 'soon'."),
        (["schedule=plateau", "schedule.monitor=dev/bleu"], "schedule.monitor must be one of dev/loss, "),
        (["metrics=auto", "monitor.metric=dev/blue"], "monitor.metric must be one of dev/loss, dev/mae, "),
        (
            ["metrics=auto", "monitor.metric=auto", "schedule=plateau", "schedule.monitor=dev/blue"],
            "schedule.monitor must be one of dev/loss, dev/mae, ",
        ),
        (
            ["callbacks=early_stopping", "callbacks.early_stopping.monitor=dev/blue"],
            "callbacks.early_stopping.monitor must be one of dev/loss, dev/exact_match, or what training logs, such as",
        ),
        (
            ["callbacks.history.monitor=exact_match"],
            "callbacks.history.monitor must be one of dev/loss, dev/exact_match, or what training logs, such as train",
        ),
        ([*TRIGGERED, "averaging.monitor=auto"], "averaging.monitor must be one of dev/loss, dev/exact_match, but is "),
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
        (["on_divergence=wait"], "on_divergence must be stop or roll_back, but is 'wait'."),
        (
            ["on_divergence=roll_back", "max_rollbacks=0"],
            "max_rollbacks must be a whole number of at least 1, ",
        ),
        (
            ["on_divergence=roll_back", "trainer.devices=2"],
            "on_divergence=roll_back needs one process, but ",
        ),
        (["gradient_noise=annealed", "gradient_noise.eta=0.0"], "gradient_noise.eta must be above 0, but is 0.0: for"),
    ],
)
def test_what_cannot_be_is_refused_before_data_are_read(tiny_config, tmp_path, overrides, message):
    with pytest.raises(UserError) as error:
        refuse_mistakes(tiny_config(*overrides), tmp_path)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    "overrides",
    [
        ["callbacks=none"],
        ["callbacks=none", "metrics=auto", "monitor.metric=dev/wer"],
        ["callbacks=early_stopping", "callbacks.early_stopping.monitor=train/learning_rate"],
    ],
)
def test_what_is_monitored_may_be_nothing_or_what_training_logs(tiny_config, tmp_path, overrides):
    refuse_mistakes(tiny_config(*overrides), tmp_path)


def test_layers_that_are_computed_anew_change_no_run(train_tiny, tmp_path, plain):
    train_tiny(tmp_path, *RUN, "model.checkpointing=true")
    assert same(last(tmp_path), plain)


# ---- Divergence


@pytest.fixture
def diverge_above(monkeypatch):
    """Let losses be no numbers from a step on, for as long as the rate is above a share of what it was."""

    def arrange(share: float, step: int = 5) -> None:
        loss = TrainingStep.loss

        def diverging(self, batch, **options):
            found = loss(self, batch, **options)
            return found * float("nan") if options["step"] >= step and self.rate_scale > share else found

        monkeypatch.setattr(TrainingStep, "loss", diverging)

    return arrange


DIVERGING = ["on_divergence=roll_back", "averaging.decay=0.5", "trainer.val_check_interval=2", "budget.max_steps=14"]


def test_a_run_that_diverges_goes_back_and_on_at_half_the_rate(train_tiny, tmp_path, diverge_above, caplog):
    diverge_above(0.5)
    train_tiny(tmp_path, *DIVERGING)
    ((step, back),) = last(tmp_path)["rollbacks"]
    assert json.loads((tmp_path / "metrics.json").read_text())["rollbacks"] == [[step, back]]
    assert back < step
    (told,) = [message for message in caplog.messages if "rolled back" in message]
    assert told == (
        "training has diverged at step 10; rolled back to step "
        f"{back}, from which training goes on at 1/2 of the rate (1 of 3 times)"
    )
    assert last(tmp_path)["global_step"] == 14


def test_it_goes_back_more_than_once_and_then_no_more(train_tiny, tmp_path, diverge_above, caplog):
    diverge_above(0.25)
    train_tiny(tmp_path, *DIVERGING)
    assert len(last(tmp_path)["rollbacks"]) == 2
    assert "1/4 of the rate (2 of 3 times)" in caplog.text
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(DivergedError, match="training has diverged at step"):
        train_tiny(other, *DIVERGING, "max_rollbacks=1")


def test_without_a_checkpoint_it_stops(train_tiny, tmp_path, diverge_above):
    diverge_above(0.5, 0)
    with pytest.raises(DivergedError):
        train_tiny(tmp_path, *DIVERGING, "trainer.val_check_interval=50")


def test_unasked_it_stops(train_tiny, tmp_path, diverge_above):
    diverge_above(0.5)
    with pytest.raises(DivergedError):
        train_tiny(tmp_path, *DIVERGING[1:])


def test_a_run_that_went_back_is_resumed_to_the_bit(train_tiny, tmp_path, diverge_above, interrupt_at):
    diverge_above(0.5)
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    train_tiny(whole, *DIVERGING)
    interrupt_at(13)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(parted, *DIVERGING)
    train_tiny(parted, *DIVERGING, resume=True)
    assert last(parted)["rollbacks"] == last(whole)["rollbacks"]
    assert same(last(parted), last(whole))


TOGETHER = [
    *("data=copy", "data.min_length=4", "tokenizer=char", "batches.max_tokens=256", "augmentation=hallucination"),
    *("model.dropout=0.2", "model.type_dropout=0.1", "model.source_word_dropout=0.1", "model.target_word_dropout=0.1"),
    *("model.decoder.attention_dropout=0.1", "model.cell.regularization.weight_drop=0.1"),
    "model.cell.regularization.recurrent_dropout=0.1",
    *("scheduled_sampling=constant", "scheduled_sampling.share=0.8", "scheduled_sampling.feed=mixture"),
    *("objective=r_drop", "objective.base.smoothing_prior=unigram", "objective.base.activation_loss=1.0"),
    *("optimizer=adamw", "gradients=gate", "gradient_noise=annealed", "rates={encoder:0.5}", "freeze=[bridge]"),
    *("freeze_steps=2", "schedule=plateau", "averaging.kind=swa", "averaging.start=0.5", "averaging.decay=null"),
    "trainer.accumulate_grad_batches=2",
]


def test_options_of_all_kinds_go_together_and_go_on_to_the_bit(train_tiny, tmp_path, interrupt_at):
    options = [*TOGETHER, "budget.max_steps=6", "trainer.val_check_interval=2"]
    train_tiny(tmp_path / "whole", *options)
    interrupt_at(4)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / "parted", *options)
    train_tiny(tmp_path / "parted", *options, resume=True)
    whole = last(tmp_path / "whole")
    assert same(last(tmp_path / "parted"), whole)
    assert all(torch.isfinite(weight).all() for weight in whole["weights"].values())
