"""A batch whose gradient is not finite changes nothing, and too many of them end training."""

import re
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import chain

import pytest
import pytorch_lightning as lightning
import torch
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import nn
from torch.amp.grad_scaler import GradScaler

from seq2seq.data.batch import Batch
from seq2seq.errors import DivergedError
from seq2seq.training.averaging import WeightAverage
from seq2seq.training.budget import Budget
from seq2seq.training.gradients.clip_by_norm import ClipByNorm
from seq2seq.training.gradients.clip_by_value import ClipByValue
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.skipping import SkippedSteps, leave_out_unless

OPTIMIZERS = {
    "adam": partial(torch.optim.Adam, lr=0.01),
    "fused adam": partial(torch.optim.Adam, lr=0.01, fused=True),
    "fused adamw": partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1, fused=True),
    "sgd with momentum": partial(torch.optim.SGD, lr=0.01, momentum=0.9),
}


class Poisoned(CrossEntropy):
    """A loss that is infinite, or has such a gradient, at chosen calls."""

    def __init__(self, *calls: int, by: float = float("nan")) -> None:
        super().__init__(label_smoothing=0.0)
        self.calls, self.by, self.call = calls, by, -1

    def loss(self, model, batch, outputs):
        self.call += 1
        total = super().loss(model, batch, outputs)
        return total * self.by if self.call in self.calls else total


def state(module, optimizer) -> list[torch.Tensor]:
    """Weights, averages and the optimizer's own state, as copies."""
    own = chain.from_iterable(part.values() for part in optimizer.state.values())
    parts = (*module.model.parameters(), *module.step.average.weights.values(), *own)
    return [part.detach().clone() for part in parts]


def identical(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    return len(left) == len(right) and all(map(torch.equal, left, right))


class States(lightning.Callback):
    """States after every step."""

    def __init__(self) -> None:
        self.after: list[list[torch.Tensor]] = []
        self.updates: list[int] = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step:
            self.on_train_end(trainer, pl_module)

    def on_train_end(self, trainer, pl_module) -> None:
        self.after.append(state(pl_module, trainer.optimizers[0]))
        self.updates.append(pl_module.step.average.updates)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("gradients", [None, ClipByNorm(), ClipByValue()], ids=["none", "norm", "value"])
@pytest.mark.parametrize("by", [float("nan"), float("inf")])
def test_a_step_without_a_finite_gradient_changes_nothing(new_module, fit, optimizer, gradients, by):
    states, objective = States(), Poisoned(2, by=by)
    module = new_module(objective=objective, optimizer=optimizer, gradients=gradients, budget=Budget(max_steps=5))
    trainer = fit(module, states)
    assert identical(states.after[2], states.after[1])
    assert not identical(states.after[3], states.after[2])
    assert states.updates == [1, 2, 2, 3, 4]
    assert all(bool(part.isfinite().all()) for part in states.after[-1])
    assert trainer.callback_metrics["train/skipped_steps"] == 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_step_that_is_taken_by_hand_changes_nothing_either(new_module, new_batch, optimizer):
    module, batch = new_module(objective=Poisoned(1), optimizer=optimizer), new_batch([[4, 5]], [[6, 7]])
    chosen = module.configure_optimizers()
    states = []
    for step in range(3):
        module.step.take(batch, chosen, step=step, spent=0.0)
        states.append(state(module, chosen))
    assert identical(states[1], states[0])
    assert not identical(states[2], states[1])


@pytest.mark.parametrize("fused", [False, True])
def test_a_scaler_leaves_such_steps_out_itself(new_module, new_batch, fused):
    optimizer = partial(torch.optim.Adam, lr=0.01, fused=fused)
    module, batch = new_module(objective=Poisoned(1), optimizer=optimizer), new_batch([[4, 5]], [[6, 7]])
    chosen, scaler, states, scales = module.configure_optimizers(), GradScaler("cpu"), [], []
    for step in range(3):
        module.step.take(batch, chosen, step=step, spent=0.0, scaler=scaler)
        states.append(state(module, chosen))
        scales.append(scaler.get_scale())
    assert scales == [65536, 32768, 32768]
    assert identical(states[1], states[0])
    assert not identical(states[2], states[1])


def test_the_first_step_can_be_left_out(new_module, fit):
    """The average then begins with the weights of the first step that is taken, as it always does."""
    module = new_module(objective=Poisoned(0), budget=Budget(max_steps=2))
    fit(module)
    assert module.step.average.updates == 1
    for name, weight in module.model.named_parameters():
        assert torch.equal(module.step.average.weights[name], weight)


def test_the_decision_is_made_on_the_device_with_a_fused_optimizer():
    """Nothing asks what is in the flag: on the meta device there is nothing in it."""
    weight = nn.Parameter(torch.ones(2, device="meta"))
    optimizer = torch.optim.Adam([weight])
    optimizer._step_supports_amp_scaling = True
    flag = torch.ones((), dtype=torch.bool, device="meta")
    leave_out_unless(flag, optimizer)
    assert optimizer.found_inf.is_meta
    model = nn.Linear(2, 2, device="meta")
    average = WeightAverage(model, 0.9)
    average.to(torch.device("meta"))
    average.update(flag)
    average.update(flag)
    assert average.weights["weight"].is_meta


# Counting, and what is kept


def flags(skipped: SkippedSteps, folder, *finite: bool) -> list[bool]:
    batch = Batch(*(torch.tensor([[4]]), torch.tensor([1]), torch.tensor([[2]]), torch.tensor([[3]])), 1.0)
    found = []
    for step, flag in enumerate(finite):
        skipped.note(step, [batch], torch.tensor(flag))
        found.append(skipped.look(folder))
    return found


def test_so_many_in_a_row_are_too_many(tmp_path):
    skipped = SkippedSteps(limit=3)
    assert flags(skipped, tmp_path, False, False, True, False, False, False) == [False] * 5 + [True]
    assert (skipped.total, skipped.in_a_row) == (5, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"step_{step}.pt" for step in (0, 1, 3, 4, 5)]


def test_what_a_scaler_needs_to_find_its_scale_is_forgiven(tmp_path):
    skipped = SkippedSteps(limit=2, forgiven=3)
    assert flags(skipped, tmp_path, False, False, False, True) == [False] * 4
    assert skipped.total == 0
    assert not list(tmp_path.iterdir())
    assert flags(skipped, tmp_path, *[False] * 5) == [False] * 4 + [True]
    assert skipped.total == 2


def test_one_look_sees_all_steps_since_the_last_one(tmp_path):
    late, now = SkippedSteps(limit=2), SkippedSteps(limit=2)
    batch = Batch(*(torch.tensor([[4]]), torch.tensor([1]), torch.tensor([[2]]), torch.tensor([[3]])), 1.0)
    for step in range(2):
        late.note(step, [batch], torch.tensor(False))
    assert late.look(tmp_path / "late")
    assert flags(now, tmp_path / "now", False, False) == [False, True]
    assert late.state_dict() == now.state_dict()
    assert not late.look(tmp_path)


def test_counts_go_on_in_a_resumed_run(tmp_path):
    first, second = SkippedSteps(limit=3), SkippedSteps(limit=3)
    flags(first, tmp_path, False, False)
    second.load_state_dict(first.state_dict())
    assert flags(second, tmp_path, False) == [True]


def test_the_batch_of_a_step_left_out_can_be_run_again(new_module, fit, new_data, tmp_path):
    module, data = new_module(objective=Poisoned(2), budget=Budget(max_steps=4)), new_data()
    fit(module, data=data)
    (path,) = (tmp_path / "skipped").iterdir()
    assert path.name == "step_3.pt"
    record = torch.load(path, weights_only=True)
    (batch,) = (Batch(**fields) for fields in record["batches"])
    expected = data.train_pairs.batch(data.train_plan.epoch(0)[2], step_tokens=batch.step_tokens)
    assert torch.equal(batch.source, expected.source)
    assert torch.equal(batch.target_outputs, expected.target_outputs)
    assert module.step.loss(batch, step=record["step"], spent=0.0).isfinite()


# The end


def diverge(new_module, fit, **changes) -> str:
    """The line that ends a run."""
    module = new_module(budget=Budget(max_steps=30), **changes)
    with pytest.raises(DivergedError) as error:
        fit(module)
    return str(error.value)


def test_training_that_diverges_ends_in_one_line(new_module, fit, tmp_path):
    line = diverge(new_module, fit, objective=Poisoned(*range(2, 99)))
    assert line == (
        "training has diverged at step 7: 5 steps in a row were left out, as their gradients were not finite ("
        "gradients of encoder.input.embedding.table.weight, encoder.stack.layers.0.forwards.kernel.weight_ih_l0, "
        "encoder.stack.layers.0.forwards.kernel.weight_hh_l0 and 25 more): lower the learning rate, clip gradients to "
        f"less, or look at the batches in {tmp_path}/skipped."
    )


def test_the_line_names_parameters_and_cells(new_module, fit):
    module = new_module(budget=Budget(max_steps=30))
    with torch.no_grad():
        module.model.decoder.cells[0].kernel.weight_ih_l0[3, 2] = float("nan")
    with pytest.raises(DivergedError) as error:
        fit(module)
    assert re.search(r"\(parameters decoder.cells.0.kernel.weight_ih_l0; activations of decoder 1\)", str(error.value))


def test_the_line_says_so_where_nothing_is_found(new_module, fit):
    """Losses that are infinite by chance alone are not so when run again."""
    line = diverge(new_module, fit, objective=Poisoned(*range(2, 7)))
    assert "(none when run again)" in line


def test_weights_that_are_not_finite_are_not_saved(new_module, fit, tmp_path):
    module = new_module()
    trainer = fit(module)
    for weights in (module.step.average.weights, dict(module.model.named_parameters())):
        kept = weights["output.bias"].detach().clone()
        with torch.no_grad():
            weights["output.bias"][3] = float("nan")
        with pytest.raises(DivergedError) as error:
            trainer.save_checkpoint(tmp_path / "bad.ckpt")
        assert "weights are not finite and so not saved (" in str(error.value)
        assert "output.bias" in str(error.value)
        assert not (tmp_path / "bad.ckpt").exists()
        with torch.no_grad():
            weights["output.bias"].copy_(kept)
    trainer.save_checkpoint(tmp_path / "good.ckpt")
    assert (tmp_path / "good.ckpt").exists()


@pytest.mark.parametrize("name", ["dev/loss", "dev/wer"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.0])
def test_a_validation_that_is_not_finite_is_never_the_best(name, value, tmp_path):
    from seq2seq.training.checkpoints import BestCheckpoint

    best, trainer = BestCheckpoint(dirpath=tmp_path, monitor="dev/wer", mode="min"), lightning.Trainer(logger=False)
    trainer.callback_metrics.update({"dev/loss": torch.tensor(1.0), "dev/wer": torch.tensor(1.0)})
    trainer.callback_metrics[name] = torch.tensor(value)
    assert best.check_monitor_top_k(trainer, trainer.callback_metrics["dev/wer"]) == (value == 1.0)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_of_equal_scores_the_last_is_the_best(new_module, fit, mode, tmp_path):
    """Where no word is right yet, all scores are equal, and the first steps have learnt least."""
    from seq2seq.training.checkpoints import BestCheckpoint

    best = BestCheckpoint(dirpath=tmp_path, filename="best", monitor="dev/exact_match", mode=mode)
    fit(new_module(budget=Budget(max_steps=3)), best, val_check_interval=1, enable_checkpointing=True)
    assert best.best_model_score == 0
    assert torch.load(tmp_path / "best.ckpt", weights_only=True)["global_step"] == 3


def test_the_state_of_the_best_checkpoint_has_the_name_that_earlier_runs_gave_it(tmp_path):
    from pytorch_lightning.callbacks import ModelCheckpoint

    from seq2seq.training.checkpoints import BestCheckpoint

    kinds = (kind(dirpath=tmp_path, monitor="dev/wer", mode="min") for kind in (BestCheckpoint, ModelCheckpoint))
    assert len({kind.state_key for kind in kinds}) == 1


class Scaled(MixedPrecision):
    """Losses that are scaled, of products in full precision, which a CPU has kernels for."""

    def __init__(self) -> None:
        super().__init__("16-mixed", "cpu", GradScaler("cpu"))

    def forward_context(self) -> AbstractContextManager:
        return nullcontext()


@pytest.mark.parametrize("limit", [0.01, 100.0])
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_limit_is_of_gradients_as_they_are_without_a_scale(new_module, fit, copied, optimizer, limit):
    weights, norms = [], []
    for plugins in ([], [Scaled()]):
        gradients = ClipByNorm(max_norm=limit)
        module = new_module(optimizer=optimizer, gradients=gradients, budget=Budget(max_steps=3))
        trainer = fit(module, plugins=plugins)
        weights.append(copied(module.model))
        norms.append(trainer.callback_metrics["train/gradient_norm"])
    torch.testing.assert_close(weights[1], weights[0])
    torch.testing.assert_close(norms[1], norms[0])
