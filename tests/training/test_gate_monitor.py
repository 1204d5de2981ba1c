"""What the gate monitor measures, where it leaves it, and when it warns."""

import logging
from functools import partial

import pytest
import pytorch_lightning as lightning
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seq2seq.errors import UserError
from seq2seq.interpretation.trace import named_cells
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.initialization import ForgetBias
from seq2seq.training.budget import Budget
from seq2seq.training.callbacks import gate_monitor
from seq2seq.training.callbacks.gate_monitor import GateMonitor

CELLS = [*(f"encoder {layer} {way}" for layer in (1, 2) for way in ("forward", "backward")), "decoder 1"]
GATES = ["input", "forget", "candidate", "output"]


@pytest.fixture
def watched(new_module, fit, tmp_path):
    """Train with a monitor: watched(monitor, sizes=...) gives the module and what is in TensorBoard."""

    def run(*callbacks, **sizes):
        module = new_module(budget=Budget(max_steps=4), sizes=sizes)
        board = TensorBoardLogger(str(tmp_path), name="", version="")
        fit(module, *callbacks, val_check_interval=2, log_every_n_steps=2, logger=board)
        events = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0, "histograms": 0})
        return module, events.Reload()

    return run


def test_every_layer_and_gate_is_in_tensorboard(watched):
    _, events = watched(GateMonitor(sentences=3))
    tags = set(events.Tags()["scalars"])
    for cell in CELLS:
        assert {f"gates/{cell}/{gate}/{what}" for gate in GATES for what in ("mean", "saturated")} <= tags
        assert f"gates/{cell}/time_constant" in tags
        assert {f"gates/{cell}/{gate}" for gate in GATES} <= set(events.Tags()["histograms"])
        assert f"gates/{cell}/time_constants" in events.Tags()["histograms"]
    assert [event.step for event in events.Scalars("gates/decoder 1/forget/mean")] == [2, 4]
    mean = events.Scalars("gates/decoder 1/forget/mean")[0].value
    assert 0.6 < mean < 0.85  # the forget bias is 1: sigmoid(1) = 0.73
    shares = [event.value for event in events.Scalars("gates/decoder 1/forget/saturated")]
    assert all(0 <= share <= 1 for share in shares)
    assert events.Scalars("gates/decoder 1/time_constant")[0].value == pytest.approx(3.2, abs=1.0)  # -1 / ln 0.73


class Norms(lightning.Callback):
    """Of the gradients of the decoder's output gate, the last of four, at every step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
        kernel = named_cells(pl_module.model)["decoder 1"].kernel
        size = kernel.hidden_size
        parts = kernel.all_weights[0]
        self.values.append(float(torch.cat([part.grad[3 * size :].flatten() for part in parts]).norm()))


def test_gradient_norms_are_those_before_clipping(watched):
    norms = Norms()
    _, events = watched(GateMonitor(), norms)
    found = [event.value for event in events.Scalars("gates/decoder 1/output/gradient_norm")]
    assert found == pytest.approx(norms.values[::2])
    assert min(found) > 0


def test_cells_without_memory_or_with_other_gates_are_watched_too(watched):
    _, events = watched(GateMonitor(sentences=2), cell=GRUCell)
    tags = events.Tags()["scalars"]
    assert "gates/decoder 1/reset/mean" in tags
    assert "gates/decoder 1/time_constant" in tags
    assert "gates/decoder 1/forget/mean" not in tags


def test_watching_changes_nothing(new_module, fit, copied):
    plain, watched = (new_module(budget=Budget(max_steps=4)) for _ in range(2))
    fit(plain, val_check_interval=2)
    fit(watched, GateMonitor(), val_check_interval=2)
    expected = copied(plain.model)
    assert all(torch.equal(weight, expected[name]) for name, weight in copied(watched.model).items())
    assert all(cell.fused for cell in named_cells(watched.model).values())


def warnings(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if "gate_monitor" in record.name]


def test_a_saturated_gate_is_told_once(new_module, fit, caplog):
    module = new_module(budget=Budget(max_steps=4))
    named_cells(module.model)["decoder 1"].gates["output"].set_bias(50.0)
    with caplog.at_level(logging.WARNING):
        fit(module, GateMonitor(), val_check_interval=2)
    assert warnings(caplog) == [
        "step 2: 100 % of the output gate of decoder 1 is saturated, where it hardly learns: lower optimizer.lr, "
        "or raise callbacks.gate_monitor.threshold if it should be so"
    ]


def test_gates_that_saturate_together_are_told_in_one_line(new_module, fit, caplog):
    module = new_module(budget=Budget(max_steps=4))
    cells = named_cells(module.model)
    for cell in cells.values():
        cell.gates["output"].set_bias(50.0)
    with caplog.at_level(logging.WARNING):
        fit(module, GateMonitor(), val_check_interval=2)
    assert warnings(caplog) == [
        f"step 2: {len(cells)} gates are saturated, most of all the output gate of {next(iter(cells))} (100 %), where "
        "they hardly learn: lower optimizer.lr, or raise callbacks.gate_monitor.threshold if it should be so"
    ]


def test_histograms_of_gates_take_little_of_the_disk(watched):
    """Torch's own bins are 1,500 where values lie around 0, as candidates do."""
    _, events = watched(GateMonitor())
    tags = [tag for tag in events.Tags()["histograms"] if not tag.endswith("time_constants")]
    assert any(tag.endswith("candidate") for tag in tags)
    assert max(len(one.histogram_value.bucket) for tag in tags for one in events.Histograms(tag)) <= 65


def test_activations_that_are_not_finite_are_told_once(new_module, fit, caplog):
    module = new_module(budget=Budget(max_steps=4))
    with torch.no_grad():
        named_cells(module.model)["encoder 2 forward"].gates["candidate"].set_bias(float("nan"))
    with caplog.at_level(logging.WARNING):
        fit(module, GateMonitor(), val_check_interval=2)
    told = warnings(caplog)
    message = "step 2: activations of encoder 2 forward are not finite: lower optimizer.lr, or gradients.max_norm"
    assert told.count(message) == 1
    assert len(told) == len(set(told))


def test_no_warning_where_all_is_well(new_module, fit, caplog):
    with caplog.at_level(logging.WARNING):
        fit(new_module(budget=Budget(max_steps=2)), GateMonitor(), val_check_interval=2)
    assert warnings(caplog) == []


def test_a_gate_that_never_shuts_has_no_time_constant_to_draw(watched):
    cell = partial(
        LSTMCell, options=GatedCellOptions(gate_activation="hard_sigmoid", initialization=ForgetBias(forget_bias=90.0))
    )
    _, events = watched(GateMonitor(threshold=1.0), cell=cell)
    assert "gates/decoder 1/time_constants" not in events.Tags()["histograms"]
    assert "gates/decoder 1/forget" in events.Tags()["histograms"]


def test_a_candidate_without_bounds_is_not_said_to_saturate(watched):
    _, events = watched(GateMonitor(), cell=partial(LSTMCell, options=GatedCellOptions(activation="relu")))
    tags = events.Tags()["scalars"]
    assert "gates/decoder 1/candidate/mean" in tags
    assert "gates/decoder 1/input/saturated" in tags
    assert "gates/decoder 1/candidate/saturated" not in tags


def test_sentences_that_are_too_long_are_not_looked_at(new_module, splits, monkeypatch):
    module, seen = new_module(), []
    monkeypatch.setattr(gate_monitor, "trace", lambda model, source, lengths, target: seen.append((lengths, target)))
    GateMonitor(sentences=3, max_tokens=4)._trace(module)
    ((lengths, target),) = seen
    assert len(lengths) <= 3
    assert lengths.max() <= 4
    assert target.shape[1] <= 5
    assert GateMonitor(max_tokens=1)._trace(module) is None
    assert len(seen) == 1


MISTAKES = [
    ({"sentences": 0}, "sentences must be at least 1, but is 0."),
    ({"max_tokens": 0}, "max_tokens must be at least 1, but is 0."),
    (
        {"low": 0.9, "high": 0.1},
        "low and high need 0 <= low < high <= 1, but low is 0.9 and high 0.1: change one of them.",
    ),
    (
        {"threshold": 0.0},
        "threshold must be above 0 and at most 1, but is 0.0: give a share.",
    ),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES)
def test_mistakes_are_told(options, message):
    with pytest.raises(UserError) as error:
        GateMonitor(**options)
    assert str(error.value) == message
