"""The curves of a run: what is kept of them, and the picture that is drawn."""

import pytest
import torch

from seq2seq.commands.interpret import _training
from seq2seq.errors import UserError
from seq2seq.interpretation.training_curves import CurvePoint, TrainingCurves
from seq2seq.interpretation.training_plots import training_figure
from seq2seq.training.callbacks.curve_record import CurveRecord
from seq2seq.training.callbacks.gate_monitor import GateMonitor
from seq2seq.training.callbacks.update_ratio import UpdateRatio
from seq2seq.training.skipping import SkippedSteps

POINTS = (
    CurvePoint(10, 3.0, 3.5, 0.5, 2e-2, 0.1, 0.4, "encoder 1 forward forget", 0, 2),
    CurvePoint(20, 2.0, 2.5, None, None, 0.2, 0.6, "decoder 1 input", 1, 3),
)


def test_it_keeps_what_the_others_saw_at_every_validation(new_module, fit):
    record, gates, module = CurveRecord(), GateMonitor(), new_module()
    trainer = fit(module, UpdateRatio(), gates, record, val_check_interval=1)
    assert [point.step for point in record.points] == [1, 2, 3]
    last = record.points[-1]
    assert last.dev_loss == pytest.approx(float(trainer.callback_metrics["dev/loss"]))
    assert last.gradient_norm == pytest.approx(float(trainer.callback_metrics["train/gradient_norm"]))
    assert last.most_saturated == max(gates.saturated.values()) == gates.saturated[last.gate]
    assert last.saturated == pytest.approx(sum(gates.saturated.values()) / len(gates.saturated))
    assert last.update_ratio is None  # there is no logger
    assert (last.skipped, last.overflows) == (0, 0)


def test_it_is_in_the_checkpoint_and_goes_on(train_tiny, tmp_path, interrupt_at):
    options = ["trainer.val_check_interval=2", "budget.max_steps=6", "logger=csv"]
    train_tiny(tmp_path / "whole", *options)
    interrupt_at(5)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / "parted", *options)
    train_tiny(tmp_path / "parted", *options, resume=True)
    whole, parted = (_training(str(tmp_path / name)) for name in ("whole", "parted"))
    assert parted == whole
    assert whole.curve("dev_loss")[0] == [2, 4, 6]
    assert all(0 < ratio < 1 for ratio in whole.curve("update_ratio")[1])


def test_the_picture_has_every_curve():
    figure = training_figure(TrainingCurves(POINTS), title="a run")
    losses, gates, sizes, skips = figure.axes
    drawn = {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for axes in figure.axes
        for line in axes.lines
    }
    assert drawn["train"] == ([10, 20], [3.0, 2.0])
    assert drawn["dev"] == ([10, 20], [3.5, 2.5])
    assert drawn["mean of all gates"][1] == [0.1, 0.2]
    assert drawn["most of one gate, at last decoder 1 input"][1] == [0.4, 0.6]
    assert drawn["update / weights"] == ([10], [2e-2])
    assert drawn["not finite"][1] == [0.0, 1.0]
    assert drawn["overflows of scaled losses"][1] == [2.0, 3.0]
    assert (losses.get_ylabel(), gates.get_ylim(), sizes.get_yscale()) == ("loss per token", (0, 1.05), "log")
    assert skips.get_xlabel() == "step"
    assert figure.get_suptitle() == "a run"


def test_what_was_not_measured_is_said():
    figure = training_figure(TrainingCurves((CurvePoint(1, None, None, None, None, None, None, None, 0, 0),)))
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == [["not measured"]] * 3 + [[]]


def test_rows_of_another_form_are_refused():
    with pytest.raises(UserError, match=r"A row of a run's curves must have 10 values, but is \[1, 2\]."):
        TrainingCurves.of([[1, 2]])


def test_a_scaler_s_search_counts_as_overflows_and_more_as_skips(tmp_path):
    skipped = SkippedSteps(limit=9, forgiven=2)
    for step, finite in enumerate([False, True, False, False, False, True]):
        skipped.note(step, [], torch.tensor(finite))
    assert not skipped.look(tmp_path)
    assert (skipped.overflows, skipped.total) == (3, 1)
    again = SkippedSteps()
    again.load_state_dict(skipped.state_dict())
    assert again.overflows == 3
    again.load_state_dict({"total": 1, "in_a_row": 0})
    assert again.overflows == 0
