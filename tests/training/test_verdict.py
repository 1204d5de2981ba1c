"""What is said of a run that has ended: where its time went, and what looks wrong."""

import math
from types import SimpleNamespace

import pytest

from seq2seq.training.budget import Budget
from seq2seq.training.callbacks.cost import Cost
from seq2seq.training.callbacks.history import History
from seq2seq.training.verdict import Goal, Validation, verdict

WER = Goal("dev/wer", "min", "budget.max_minutes")
BLEU = Goal("dev/bleu", "max", "budget.max_steps")


def run(scores: list[float], train: list[float], dev: list[float]) -> list[Validation]:
    """Validations at equal distances over the whole budget."""
    count = len(scores)
    return [
        Validation(400 * (place + 1), (place + 1) / count, *numbers)
        for place, numbers in enumerate(zip(train, dev, scores, strict=True))
    ]


# The default run, had it had 3.5 minutes on a busy machine (measured).
HURRIED = [
    Validation(60, 0.1679, 3.2527, 2.8526, 100.0),
    Validation(120, 0.3566, 2.5738, 2.2269, 99.9172),
    Validation(180, 0.507, 1.8094, 1.3892, 93.7862),
    Validation(240, 0.6681, 0.9601, 0.7326, 70.2568),
    Validation(300, 0.9022, 0.6862, 0.5827, 64.8716),
    Validation(334, 1.0, 0.6431, 0.5671, 64.0431),
]
# 150 strings to reverse without dropout (measured).
BY_HEART = [
    Validation(100, 0.2, 1.8574, 1.3015, 15.0),
    Validation(200, 0.4, 0.358, 1.1321, 29.0),
    Validation(300, 0.6, 0.1412, 1.3291, 29.0),
    Validation(400, 0.8, 0.1224, 1.474, 32.0),
    Validation(500, 1.0, 0.1181, 1.5389, 34.0),
]
# A run that is as it should be: its last validations hardly differ.
GOOD = run(
    [49.7, 38.6, 33.6, 31.0, 29.9, 29.75], [0.9, 0.42, 0.33, 0.27, 0.24, 0.23], [0.5, 0.38, 0.33, 0.3, 0.29, 0.29]
)
# The same, for far too long.
LEARNT_BY_HEART = run([95.0, 80.0, 82.5, 83.0, 84.0], [2.1, 0.9, 0.3, 0.06, 0.02], [2.2, 1.6, 1.7, 2.0, 2.3])
SHORT = run([2.1, 9.8, 17.4], [3.9, 2.8, 2.3], [3.6, 2.7, 2.4])
STUCK = run([0.0, 0.0, 0.0, 0.0], [5.0, 4.4, 4.1, 3.9], [5.1, 4.6, 4.3, 4.2])


def test_a_run_that_is_as_it_should_be_is_left_alone():
    assert verdict(GOOD, WER) == []
    assert verdict([], WER) == []


def test_what_was_learnt_by_heart():
    assert verdict(LEARNT_BY_HEART, WER) == [
        "The loss of train at the end, 0.02, is far below that of dev, 2.30: more model.dropout, a shorter budget or "
        "more data may help.",
        "dev/wer was best after 40 % of the budget, 80.00, and is 84.00 now: budget.max_minutes can be lower, or "
        "model.dropout higher.",
    ]


def test_what_is_learnt_by_heart_needs_no_more_steps_though_its_score_rises():
    assert verdict(BY_HEART, BLEU) == [
        "The loss of train at the end, 0.12, is far below that of dev, 1.54: more model.dropout, a shorter budget or "
        "more data may help."
    ]


def test_a_task_that_is_done_is_not_learnt_by_heart():
    done = run([40.0, 99.0, 99.8], [1.0, 0.002, 0.0004], [0.5, 0.03, 0.02])
    assert verdict(done, BLEU) == []


def test_a_run_that_ended_too_soon():
    assert verdict(SHORT, BLEU) == [
        "dev/bleu was still getting better at the end, from 9.80 to 17.40 in the last quarter: a higher "
        "budget.max_steps may help."
    ]
    assert verdict(HURRIED, WER) == [
        "dev/wer was still getting better at the end, from 70.26 to 64.04 in the last quarter: a higher "
        "budget.max_minutes may help."
    ]
    assert verdict(SHORT[:2], BLEU) == []  # too few to tell


def test_a_score_that_never_moved():
    assert verdict(STUCK, BLEU) == [
        "dev/bleu was 0.00 at every validation, and chose no checkpoint: look at the samples; another monitor.metric "
        "may suit these texts, or more steps."
    ]
    perfect = [Validation(one.step, one.spent, 0.0, 0.0, 100.0) for one in STUCK]
    assert verdict(perfect, BLEU) == []


def test_references_out_of_reach_come_first_and_two_sentences_are_enough():
    found = verdict(LEARNT_BY_HEART, WER, out_of_reach=0.38)
    assert len(found) == 2
    assert found[0] == (
        "38 % of the dev references are what no output can equal, as was said at the start: look at the tokenizer and "
        "at decoding.length."
    )
    assert verdict(GOOD, WER, out_of_reach=0.01) == []


def test_a_loss_that_is_not_known_says_nothing():
    unknown = [Validation(one.step, one.spent, math.nan, one.dev_loss, one.score) for one in GOOD]
    assert verdict(unknown, WER) == []


# What is gathered


def test_the_history_has_every_validation(new_module, fit):
    history = History(monitor="dev/exact_match")
    trainer = fit(new_module(budget=Budget(max_steps=4)), history, val_check_interval=2)
    assert [(one.step, one.spent) for one in history.validations] == [(2, 0.5), (4, 1.0)]
    assert history.validations[-1].dev_loss == pytest.approx(float(trainer.callback_metrics["dev/loss"]))
    assert history.validations[-1].score == float(trainer.callback_metrics["dev/exact_match"])
    assert all(1 < one.train_loss < 4 for one in history.validations)
    taken_up = History(monitor="dev/exact_match")
    taken_up.load_state_dict(history.state_dict())
    assert taken_up.validations == history.validations


class Clock:
    """One second passes between any two looks."""

    now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


def test_every_second_is_that_of_a_part(new_module, fit, monkeypatch):
    monkeypatch.setattr("seq2seq.training.callbacks.cost.time", Clock())
    cost = Cost()
    fit(new_module(budget=Budget(max_steps=4)), cost, val_check_interval=2)
    # Two validations lie between steps: what comes behind the first is saving, and behind the last the end.
    assert cost.report("cpu") == {
        "data": 5.0,
        "forward": 4.0,
        "backward and optimizer": 4.0,
        "validation": 2.0,
        "saving": 2.0,
    }
    assert cost.report("cuda") == {"steps": 13.0, "validation": 2.0, "saving": 2.0}
    cost.load_state_dict({"seconds": {"saving": 5.0}})
    assert cost.report("cpu")["saving"] == 5.0
    assert cost.state_dict() == {"seconds": {"saving": 5.0}}


def test_both_go_on_where_a_run_does(train_tiny, tmp_path, monkeypatch, capsys):
    kept = []
    monkeypatch.setattr("seq2seq.commands.train.remarks_of", lambda trainer, *_: kept.append(trainer.callbacks) or [])
    options = "trainer.val_check_interval=1"
    train_tiny(tmp_path, options, "budget.max_steps=2")
    monkeypatch.setattr("warnings.filterwarnings", lambda *_, **__: None)
    with pytest.warns(UserWarning, match="Checkpoint directory"):
        train_tiny(tmp_path, options, "budget.max_steps=3", resume=True)
    (history,), (cost,) = ([one for one in kept[-1] if isinstance(one, kind)] for kind in (History, Cost))
    assert [one.step for one in history.validations] == [1, 2, 3]
    (first,) = [one for one in kept[0] if isinstance(one, Cost)]
    assert cost.seconds["validation"] > first.seconds["validation"] > 0


def test_without_them_nothing_is_said():
    from seq2seq.commands.training.remarks import cost_of, remarks_of
    from seq2seq.translation.reachability import Unreachable

    config = {"budget": {"max_steps": 3}, "monitor": {"metric": "dev/wer", "mode": "min"}}
    trainer = SimpleNamespace(callbacks=[])
    assert cost_of(trainer) == {}
    assert remarks_of(trainer, config, Unreachable(0, 0)) == []
