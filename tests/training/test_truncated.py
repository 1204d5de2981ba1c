"""Long targets window by window: the same loss, gradients that end where windows begin, and less memory."""

import json
import logging
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from seq2seq.commands.train import train
from seq2seq.data.truncation import Truncation
from seq2seq.errors import UserError
from seq2seq.layers.output.smoothing import Smoothing
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.runs.possible import checked
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.r_drop import RDrop
from seq2seq.training.truncated import check_summable, truncated_loss

SOURCES = [[4, 5, 6, 7], [8, 9]]
TARGETS = [[4, 5, 6, 7, 8, 9, 4, 5], [10, 11, 12]]


@pytest.fixture(params=["luong", "gnmt", "bahdanau"])
def kind(request) -> str:
    return request.param


@pytest.fixture
def batch(new_batch):
    return new_batch(SOURCES, TARGETS)


def gradients(model, objective, batch, window: int | None) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss and its gradients, at one state of random numbers."""
    model.zero_grad()
    torch.manual_seed(5)
    inputs = batch.target_inputs
    whole = window is None
    loss = objective(model, batch, inputs) if whole else truncated_loss(model, objective, batch, inputs, window)
    (loss / 3).backward()
    return loss.detach(), {name: weight.grad.clone() for name, weight in model.named_parameters()}


@pytest.mark.parametrize("window", [1, 2, 4, 8])
@pytest.mark.parametrize("attention", ["dot", "coverage", "location", "monotonic", "multi_head"])
def test_the_loss_is_that_of_whole_targets(build_model, batch, kind, attention, window):
    model = build_model(decoder=kind, attention=attention)
    objective = CrossEntropy(activation_loss=0.5)
    whole, _ = gradients(model, objective, batch, None)
    likelihood = objective.likelihood
    assert_close(gradients(model, objective, batch, window)[0], whole)
    assert_close(objective.likelihood, likelihood)


@pytest.mark.parametrize("window", [2, 4])
def test_so_it_is_with_every_dropout(build_model, batch, kind, window):
    cell = partial(LSTMCell, options=GatedCellOptions(regularization=Regularization(weight_drop=0.4)))
    dropping = {"dropout": 0.4, "type_dropout": 0.3, "target_word_dropout": 0.3, "source_word_dropout": 0.3}
    of_decoder = {"decoder_dropout": 0.4, "attention_dropout": 0.4}
    model = build_model(decoder=kind, cell=cell, encoder_dropout=0.4, **of_decoder, **dropping)
    whole, _ = gradients(model, CrossEntropy(), batch, None)
    assert_close(gradients(model, CrossEntropy(), batch, window)[0], whole)


@pytest.mark.parametrize("window", [9, 50])
def test_a_window_that_holds_all_changes_nothing(build_model, batch, kind, window):
    model = build_model(decoder=kind, decoder_dropout=0.3)
    whole, truncated = (gradients(model, CrossEntropy(), batch, size) for size in (None, window))
    assert torch.equal(whole[0], truncated[0])
    assert all(torch.equal(value, truncated[1][name]) for name, value in whole[1].items())


@pytest.mark.parametrize("share", [False, True])
def test_gradients_are_those_of_detached_states(build_model, batch, kind, share):
    model = build_model(decoder=kind, attention="coverage", share_embeddings=share, source_vocabulary_size=13)
    objective = CrossEntropy()
    _, found = gradients(model, objective, batch, 3)
    model.zero_grad()
    memory, states = model.encode(batch.source, batch.source_lengths)
    total = torch.zeros(())
    for start in (0, 3, 6):
        unrolled = model.decoder.unroll(batch.target_inputs[:, start : start + 3], memory, states)
        outputs = batch.target_outputs[:, start : start + 3]
        kept = outputs.flatten() != 0
        rows, targets = unrolled.features.flatten(0, 1)[kept], outputs.flatten()[kept]
        total = total + model.output.training_loss(rows, targets, Smoothing(objective.label_smoothing)).total
        layers = tuple(type(state)(*(part.detach() for part in state)) for state in unrolled.states.layers)
        states = unrolled.states._replace(
            layers=layers, attention=tuple(part.detach() for part in unrolled.states.attention)
        )
    (total / 3).backward()
    for name, weight in model.named_parameters():
        assert_close(found[name], weight.grad, msg=lambda text, name=name: f"{name}: {text}")
    _, whole = gradients(model, objective, batch, None)
    assert not torch.allclose(found["bridge.projection.weight"], whole["bridge.projection.weight"])


class Saved:
    """A tensor that a backward pass will need, counted as long as it lives."""

    live = most = 0

    def __init__(self, tensor: Tensor) -> None:
        self.tensor, self.size = tensor, tensor.numel() * tensor.element_size()
        Saved.live += self.size
        Saved.most = max(Saved.most, Saved.live)

    def __del__(self) -> None:
        Saved.live -= self.size


def most_saved(model, batch, window: int | None) -> int:
    Saved.live = Saved.most = 0
    with torch.autograd.graph.saved_tensors_hooks(Saved, lambda saved: saved.tensor):
        gradients(model, CrossEntropy(), batch, window)
    return Saved.most


def test_memory_falls_with_the_window(build_model, new_batch, kind):
    model = build_model(decoder=kind)
    batch = new_batch([[4, 5, 6]], [[4, 5, 6, 7] * 200])
    whole, half, tenth, least = (most_saved(model, batch, window) for window in (None, 400, 80, 8))
    assert half - least < 0.55 * (whole - least)  # the least is of the source, and what there is once
    assert tenth - least < 0.15 * (whole - least)
    assert least < 0.25 * whole


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (RDrop(base=CrossEntropy()), "window needs objective=cross_entropy, as RDrop looks at whole targets."),
        (
            CrossEntropy(coverage_loss=1.0),
            "window needs coverage_loss=0, as that looks beyond a window, but it is 1.0.",
        ),
        (
            CrossEntropy(temporal_loss=0.5),
            "window needs temporal_loss=0, as that looks beyond a window, but it is 0.5.",
        ),
    ],
)
def test_objectives_that_look_beyond_a_window_are_refused(objective, message):
    with pytest.raises(UserError) as error:
        check_summable(objective)
    assert str(error.value) == message


# ---- Runs

WINDOW = ["truncation=window", "truncation.window=2"]


@pytest.mark.parametrize(
    ("overrides", "start"),
    [
        (["truncation=varied"], "truncation.varied must be false with a source"),
        (["truncation=window", "truncation.window=0"], "truncation.window must be at least 1 token, but is 0."),
        ([*WINDOW, "objective=r_drop"], "truncation.window needs objective=cross_entropy, as RDrop looks at"),
        ([*WINDOW, "objective.coverage_loss=1.0"], "truncation.window needs coverage_loss=0"),
        ([*WINDOW, "precision=16-mixed"], "truncation must be none with precision=16-mixed"),
        (
            [*WINDOW, "model.cell.regularization.zoneout_hidden=0.1"],
            "model.cell.regularization.zoneout_hidden must be 0 with truncation",
        ),
        ([*WINDOW, "model/attention=monotonic", "model.attention.noise=1.0"], "model.attention.noise must be 0 with"),
    ],
)
def test_what_does_not_go_with_windows_is_refused_by_name(tiny_config, overrides, start):
    with pytest.raises(UserError) as error:
        checked(tiny_config(*overrides))
    assert str(error.value).startswith(start)


def weights(folder) -> dict[str, Any]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["weights"]


def test_runs_are_other_and_go_on_exactly(tiny_config, tmp_path):
    given = ["budget.max_steps=6", "trainer.val_check_interval=3", "scheduled_sampling=constant", "schedule=constant"]
    for name, more in {"whole": [], "windows": WINDOW, "stopped": [*WINDOW, "budget.max_steps=3"]}.items():
        (tmp_path / name).mkdir()
        train(tiny_config(*given, *more), tmp_path / name, resume=False)
    train(tiny_config(*given, *WINDOW), tmp_path / "stopped", resume=True)
    whole, windows, stopped = (weights(tmp_path / name) for name in ("whole", "windows", "stopped"))
    assert not torch.equal(whole["output.bias"], windows["output.bias"])
    assert all(torch.equal(value, stopped[name]) for name, value in windows.items())
    assert json.loads((tmp_path / "windows" / "metrics.json").read_text())["step"] > 0


def test_a_window_that_cuts_nothing_is_told(tiny_config, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        train(tiny_config("truncation=window", "budget.max_steps=1"), tmp_path, resume=False)
    assert "truncation.window=70 cuts nothing: the longest target of train has 6 tokens with its end" in caplog.text
    assert Truncation().window == 70
