"""What the monitor of vital signs keeps and says, and that training does not notice it."""

import logging

import pytest
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seq2seq.commands.interpret import _training
from seq2seq.errors import UserError
from seq2seq.interpretation.trace import named_cells
from seq2seq.runs.kept_vital_signs import kept_vital_signs
from seq2seq.training.budget import Budget
from seq2seq.training.callbacks.vital_signs import VitalSignMonitor


def test_signs_are_in_tensorboard_at_every_validation_and_words_beside(new_module, fit, tmp_path):
    monitor, module = VitalSignMonitor(sentences=3), new_module(budget=Budget(max_steps=4))
    named_cells(module.model)["decoder 1"].gates["output"].set_bias(-50.0)
    board = TensorBoardLogger(str(tmp_path), name="", version="")
    fit(module, monitor, val_check_interval=2, log_every_n_steps=2, logger=board)
    events = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    assert [event.step for event in events.Scalars("vital_signs/dead/decoder 1")] == [2, 4]
    assert events.Scalars("vital_signs/dead/decoder 1")[0].value == 1.0
    kinds = {tag.split("/")[1] for tag in events.Tags()["scalars"] if tag.startswith("vital_signs/")}
    assert kinds >= {"kept", "open", "shut", "dead", "rank", "entropy"}
    (first, _) = (event.tensor_proto.string_val[0].decode() for event in events.Tensors("vital_signs/text_summary"))
    assert "shut, decoder 1: 100 % of output gates below 0.01 on every step: they let nothing through: try " in first
    assert [step for step, _ in monitor.points] == [2, 4]


def test_watching_changes_nothing(new_module, fit, copied):
    plain, watched = (new_module(budget=Budget(max_steps=4)) for _ in range(2))
    fit(plain, val_check_interval=2)
    fit(watched, VitalSignMonitor(), val_check_interval=2)
    expected = copied(plain.model)
    assert all(torch.equal(weight, expected[name]) for name, weight in copied(watched.model).items())
    assert all(cell.fused for cell in named_cells(watched.model).values())


def test_what_is_out_of_range_is_said_at_the_end_alone(new_module, fit, caplog):
    module = new_module(budget=Budget(max_steps=4))
    named_cells(module.model)["decoder 1"].gates["forget"].set_bias(50.0)
    with caplog.at_level(logging.INFO):
        fit(module, VitalSignMonitor(), val_check_interval=2)
    told = [record.getMessage() for record in caplog.records if record.getMessage().startswith("vital sign ")]
    sentence = "vital sign kept, decoder 1: 100 % of forget gates above 0.99 on every step: they never let go: try "
    assert [one for one in told if "forget" in one] == [
        sentence + "model.cell.initialization.forget_bias=0, or optimizer=adamw"
    ]


def test_they_are_in_the_checkpoint_and_go_on(train_tiny, tmp_path, interrupt_at):
    options = ["trainer.val_check_interval=2", "budget.max_steps=6"]
    train_tiny(tmp_path / "whole", *options)
    interrupt_at(5)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / "parted", *options)
    train_tiny(tmp_path / "parted", *options, resume=True)
    whole, parted = (kept_vital_signs(str(tmp_path / name)) for name in ("whole", "parted"))
    assert [step for step, _ in whole] == [2, 4, 6]
    assert parted == whole
    assert _training(str(tmp_path / "whole")).signs == tuple(whole)


@pytest.mark.parametrize("name", ["sentences", "max_tokens"])
def test_mistakes_are_told(name):
    with pytest.raises(UserError, match=f"{name} must be at least 1, but is 0."):
        VitalSignMonitor(**{name: 0})
