"""A loss that a guess would beat is told once, and a normal beginning is not."""

import math
from types import SimpleNamespace

import pytest

from seq2seq.errors import UserError
from seq2seq.training.callbacks.loss_watch import LossWatch

SIZE = 20
GUESS = math.log(SIZE)  # 3.00
MODULE = SimpleNamespace(translator=SimpleNamespace(tokenizers=SimpleNamespace(target=SimpleNamespace(size=SIZE))))


def validate(watch: LossWatch, step: int, train: float, dev: float) -> None:
    metrics = {"train/loss": train, "dev/loss": dev}
    watch.on_validation_end(SimpleNamespace(callback_metrics=metrics, global_step=step, is_global_zero=True), MODULE)


def test_what_is_worse_than_a_guess_is_told_once_a_run(caplog):
    watch = LossWatch()
    validate(watch, 10, 1e30, 5.8e30)
    validate(watch, 20, 1e30, 5.8e30)
    assert caplog.messages == [
        "step 10: dev/loss is 5.8e+30 and train/loss 1e+30, but a guess among all target tokens has 3.00: nothing is "
        "learnt; lower optimizer.lr"
    ]
    resumed = LossWatch()
    resumed.load_state_dict(watch.state_dict())
    validate(resumed, 30, 1e30, 5.8e30)
    assert len(caplog.messages) == 1


def test_dev_that_is_far_off_alone_is_told(caplog):
    validate(LossWatch(), 500, 0.1, 2.1 * GUESS)
    assert caplog.messages == [
        "step 500: dev/loss is 6.291 and train/loss 0.1, but a guess among all target tokens has 3.00: dev is unlike "
        "train, or train is learnt by heart; look at the data, or raise model.dropout"
    ]


@pytest.mark.parametrize(
    ("step", "train", "dev"),
    [
        (2, GUESS + 0.3, GUESS + 0.3),  # it has just begun
        (500, GUESS - 0.1, GUESS - 0.1),
        (500, GUESS + 0.5, 1.0),  # the last batch was a hard one, or the objective has other terms
        (500, 0.1, 1.5 * GUESS),
    ],
)
def test_no_alarm_is_false(caplog, step, train, dev):
    validate(LossWatch(), step, train, dev)
    assert caplog.messages == []


def test_how_long_a_run_begins_is_an_option(caplog):
    validate(LossWatch(steps=2), 2, GUESS + 0.3, GUESS + 0.3)
    assert len(caplog.messages) == 1
    with pytest.raises(UserError, match=r"^steps must be at least 0, but is -1\.$"):
        LossWatch(steps=-1)


def test_a_run_that_learns_is_not_warned_of_and_one_of_a_wild_rate_is(train_tiny, tmp_path, caplog, capsys):
    run = ["budget.max_steps=6", "trainer.val_check_interval=1"]
    train_tiny(tmp_path / "good", *run)
    assert [message for message in caplog.messages if "a guess" in message] == []
    train_tiny(tmp_path / "wild", *run, "optimizer.lr=1e4")
    (said,) = [message for message in caplog.messages if "a guess" in message]
    assert said.endswith(": nothing is learnt; lower optimizer.lr")
