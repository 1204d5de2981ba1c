"""States that language models carry from window to window: those that are not finite end there."""

from functools import partial

import numpy as np
import pytest
import torch

from seq2seq.data.running_text import RunningText, TextBatch
from seq2seq.data.sequences import TokenSequences
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.layers.recurrent.cells.elman import ElmanCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.options import CellOptions
from seq2seq.models.language_model import LanguageModel, LanguageModelOptions
from seq2seq.training.averaging import WeightAverage
from seq2seq.training.carried import CarriedStates
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.schedules import ConstantSchedule
from seq2seq.training.step import TrainingStep

WINDOW = 50


def model_of(cell) -> LanguageModel:
    torch.manual_seed(1)
    dropout = {"dropout": 0.0, "hidden_dropout": 0.0, "output_dropout": 0.0}
    options = LanguageModelOptions(6, 8, cell, num_layers=2, top_size=6, **dropout)
    return LanguageModel(source_vocabulary_size=12, target_vocabulary_size=12, options=options, output=TiedOutput)


def batches(length: int) -> list[TextBatch]:
    """Windows of two rows of random text."""
    draw = np.random.default_rng(1)
    text = RunningText(TokenSequences.from_ids([draw.integers(4, 12, length).tolist() for _ in range(2)]), 2)
    windows, plan = text.windows(np.arange(2), iter([WINDOW] * length), WINDOW)
    return [windows.batch(rows, step_tokens=100.0) for rows in plan]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(("layer", "part"), [(0, "hidden"), (1, "cell")])
def test_a_row_whose_state_is_not_finite_begins_anew_and_leaves_the_others_alone(layer, part, value):
    model, (first, second, *_) = model_of(LSTMCell), batches(200)
    carried, broken = CarriedStates(), CarriedStates()
    for states in (carried, broken):
        states.forward(model, first, first.target_inputs)
    getattr(broken.states.layers[layer], part)[1, 0] = value
    second.fresh = torch.tensor([False, True])
    wanted = carried.forward(model, second, second.target_inputs).features
    second.fresh = torch.tensor([False, False])
    assert torch.equal(broken.forward(model, second, second.target_inputs).features, wanted)


def test_training_goes_on_behind_a_state_that_has_overflowed():
    """The weights are finite, but the state grows by an eighth a token: some are left out, and not all that follow."""
    model = model_of(partial(ElmanCell, options=CellOptions(activation="relu")))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "weight_hh" in name:
                weight.copy_(torch.eye(len(weight)) * 1.125)
    step = TrainingStep(
        model=model,
        objective=CrossEntropy(label_smoothing=0.0),
        optimizer=partial(torch.optim.SGD, lr=1e-30),
        schedule=ConstantSchedule(warmup_steps=0),
        scheduled_sampling=None,
        gradients=None,
        average=WeightAverage(model, 0.0),
        seed=1,
    )
    optimizer, finite = step.new_optimizer(), []
    for number, batch in enumerate(batches(1500)):
        step.take(batch, optimizer, step=number, spent=0.0)
        finite.append(bool(step.finite))
    assert finite[0]
    assert not all(finite)
    assert any(finite[finite.index(False) :])
