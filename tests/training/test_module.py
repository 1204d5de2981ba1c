"""The LightningModule through a real Trainer."""

import math
from functools import partial

import pytest
import pytorch_lightning as lightning
import torch
from torch.testing import assert_close

from seq2seq.data.examples import Splits
from seq2seq.errors import UserError
from seq2seq.metrics.exact_match import ExactMatch
from seq2seq.training.budget import Budget
from seq2seq.training.callbacks.early_stopping import EarlyStopping
from seq2seq.training.feeding import Feeding
from seq2seq.training.gradients.clip_by_norm import ClipByNorm
from seq2seq.training.gradients.clip_by_value import ClipByValue
from seq2seq.training.likelihood import likelihood
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.r_drop import RDrop
from seq2seq.training.scheduled_sampling import LinearSampling
from seq2seq.training.schedules import ConstantSchedule, CosineSchedule, InverseSquareRootSchedule


def equal(left: dict, right: dict) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


# Averaged and raw weights


def test_a_checkpoint_holds_the_average_as_weights_and_the_raw_ones_as_state(new_module, fit, recorder, tmp_path):
    trainer = fit(
        new_module(complete=lambda checkpoint: checkpoint.update(format=7, seen=sorted(checkpoint))), recorder
    )
    trainer.save_checkpoint(tmp_path / "any.ckpt")
    checkpoint = torch.load(tmp_path / "any.ckpt", weights_only=True)
    first, second, third = recorder.weights
    assert not equal(second, third)
    for name in third:
        mean = 0.25 * (2 / 11 * first[name] + 9 / 11 * second[name]) + 0.75 * third[name]
        assert_close(checkpoint["weights"][name], mean)
        assert torch.equal(checkpoint["state_dict"][f"model.{name}"], third[name])
    assert checkpoint["average_updates"] == 3
    assert checkpoint["format"] == 7
    assert {"weights", "optimizer_states", "callbacks", "seconds"} <= set(checkpoint["seen"])  # it comes last
    assert checkpoint["seconds"] > 0


class Witness(lightning.Callback):
    """The model's weights before, inside and after every validation."""

    def __init__(self, copied) -> None:
        self.copied = copied
        self.before, self.inside, self.after = [], [], []

    def on_validation_start(self, trainer, pl_module) -> None:
        self.before.append(self.copied(pl_module.model))

    def on_validation_batch_start(self, trainer, pl_module, *_) -> None:
        self.inside.append(self.copied(pl_module.model))

    def on_validation_epoch_end(self, trainer, pl_module) -> None:
        self.inside.append(self.copied(pl_module.model))

    def on_validation_end(self, trainer, pl_module) -> None:
        self.after.append(self.copied(pl_module.model))


def test_validation_sees_the_average_and_gives_the_raw_weights_back(new_module, fit, recorder, copied):
    witness, module = Witness(copied), new_module()
    fit(module, recorder, witness, val_check_interval=2)
    assert len(witness.before) == len(witness.after) == 2  # at step 2 and at the end, step 3
    for step, before, after in zip((2, 3), witness.before, witness.after, strict=True):
        assert equal(before, recorder.weights[step - 1])
        assert equal(after, before)
    assert all(equal(weights, module.step.average.weights) for weights in witness.inside[-2:])
    assert not equal(witness.inside[-1], witness.after[-1])


def test_training_goes_on_as_if_there_had_been_no_validation(new_module, fit, copied):
    modules = new_module(), new_module()
    for module, interval in zip(modules, (1, 1000), strict=True):
        fit(module, val_check_interval=interval)
    assert equal(copied(modules[0].model), copied(modules[1].model))
    assert equal(modules[0].step.average.weights, modules[1].step.average.weights)


# Learning rate and length


def test_the_learning_rate_follows_the_schedule(new_module, fit, recorder):
    schedule = CosineSchedule(warmup_steps=2, final=0.1)
    optimizer = partial(torch.optim.Adam, lr=0.02)
    fit(new_module(schedule=schedule, optimizer=optimizer, budget=Budget(max_steps=8)), recorder)
    cosine = [0.1 + 0.9 * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]
    warm = [1 / 3, 2 / 3, 1, 1, 1, 1, 1, 1]
    assert recorder.rates == pytest.approx([0.02 * w * c for w, c in zip(warm, cosine, strict=True)])


@pytest.mark.parametrize("steps", [1, 5, 8])
def test_it_stops_at_max_steps_exactly(new_module, fit, recorder, steps):
    module = new_module(budget=Budget(max_steps=steps))
    assert fit(module, recorder).global_step == module.step.average.updates == len(recorder.weights) == steps


class SevenSecondsAStep(lightning.Callback):
    """A clock for the budget."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def on_train_batch_start(self, *_) -> None:
        self.now += 7


def test_it_stops_once_max_minutes_are_over(new_module, fit, monkeypatch):
    clock = SevenSecondsAStep()
    monkeypatch.setattr("seq2seq.training.budget.time", clock)
    module = new_module(budget=Budget(max_minutes=0.5))
    assert fit(module, clock).global_step == 5  # after 28 seconds there is time left, after 35 there is not
    assert module.budget.seconds == 35


@pytest.mark.parametrize(("patience", "steps"), [(0, 2), (1, 2), (2, 3)])
def test_early_stopping_ends_training_that_brings_nothing(new_module, fit, patience, steps):
    stopping = EarlyStopping(monitor="dev/exact_match", mode="max", patience=patience)
    module = new_module(optimizer=partial(torch.optim.Adam, lr=0.0), budget=Budget(max_steps=50))
    assert fit(module, stopping, val_check_interval=1).global_step == steps


def test_early_stopping_refuses_a_patience_below_none():
    with pytest.raises(UserError, match="^patience must be at least 0, but is -1.$"):
        EarlyStopping(monitor="dev/exact_match", patience=-1)


# Gradients


def test_the_gradient_is_clipped_to_its_limit(new_module, fit, recorder, copied):
    sgd = partial(torch.optim.SGD, lr=1.0)

    def step(limit: float | None) -> tuple[float, float]:
        """The length of the first update, and the norm that is logged."""
        gradients = None if limit is None else ClipByNorm(max_norm=limit)
        module = new_module(optimizer=sgd, budget=Budget(max_steps=1), gradients=gradients)
        start = copied(module.model)
        trainer = fit(module)
        moved = [(weight - start[name]).flatten() for name, weight in copied(module.model).items()]
        return torch.cat(moved).norm().item(), trainer.callback_metrics["train/gradient_norm"].item()

    free, norm = step(None)
    assert free == pytest.approx(norm, rel=1e-4)
    limited, logged = step(norm / 4)
    assert limited == pytest.approx(norm / 4, rel=1e-4)
    assert logged == pytest.approx(norm)
    assert step(norm * 4)[0] == pytest.approx(norm, rel=1e-4)


def test_the_loss_is_the_mean_over_the_target_tokens_of_the_step(new_module, new_data, fit):
    module, data = new_module(budget=Budget(max_steps=1)), new_data()
    batch = data.train_pairs.batch(data.train_plan.epoch(0)[0], step_tokens=1.0)
    expected = likelihood(module.model, batch)
    trainer = fit(module, data=data)
    assert_close(trainer.callback_metrics["train/loss"], (expected.total / expected.tokens).detach())


def test_dev_loss_and_attention_are_the_averaged_models_means_over_all_dev_tokens(new_module, new_data, fit):
    module, data = new_module(objective=CrossEntropy(label_smoothing=0.3)), new_data(max_sentences=4)
    trainer = fit(module, data=data)
    assert len(data.dev_plan.epoch(0)) == 2
    whole = data.dev_pairs.batch(torch.arange(len(data.dev_pairs)), step_tokens=1.0)
    with module.step.average.applied(), torch.no_grad():
        expected = likelihood(module.model, whole)
    metrics = trainer.callback_metrics
    assert_close(metrics["dev/loss"], expected.total / expected.tokens)
    assert_close(metrics["attention/entropy"], expected.entropy / expected.tokens)
    assert_close(metrics["attention/sharpness"], expected.sharpness / expected.tokens)
    assert 0 < metrics["attention/entropy"] < math.log(6)  # the longest source has five letters and an end
    assert 1 / 6 < metrics["attention/sharpness"] < 1


# Options


@pytest.mark.parametrize(
    "change",
    [
        {"objective": CrossEntropy(label_smoothing=0.3)},
        {"objective": CrossEntropy(label_smoothing=0.0, coverage_loss=0.5)},
        {"objective": CrossEntropy(label_smoothing=0.0, activation_loss=2.0)},
        {"objective": CrossEntropy(label_smoothing=0.0, temporal_loss=1.0)},
        {"objective": RDrop(base=CrossEntropy(label_smoothing=0.0))},
        {"objective": CrossEntropy(label_smoothing=0.0, entropy_floor=2.0)},
        {"objective": CrossEntropy(label_smoothing=0.0, entropy_floor=2.0, entropy_weight=0.5)},
        {"optimizer": partial(torch.optim.Adam, lr=0.02)},
        {"optimizer": partial(torch.optim.AdamW, lr=0.01, weight_decay=1.0)},
        {"schedule": ConstantSchedule(warmup_steps=2)},
        {"schedule": CosineSchedule(warmup_steps=0)},
        {"schedule": InverseSquareRootSchedule(warmup_steps=1)},
        {"scheduled_sampling": LinearSampling(duration=0.5, options=Feeding(floor=0.0))},
        {"gradients": ClipByNorm(max_norm=0.1)},
        {"gradients": ClipByValue(max_value=0.001)},
        {"budget": Budget(max_steps=4)},
        {"seed": 2},
    ],
    ids=lambda change: "-".join(f"{name}-{type(value).__name__}" for name, value in change.items()),
)
def test_every_option_changes_what_is_learnt(new_module, fit, copied, change):
    sizes = {"dropout": 0.3}
    plain, changed = new_module(sizes=sizes), new_module(sizes=sizes, **change)
    assert equal(copied(plain.model), copied(changed.model))
    fit(plain)
    fit(changed)
    assert not equal(copied(plain.model), copied(changed.model))


def test_equal_options_learn_the_same_with_dropout(new_module, fit, copied):
    modules = [new_module(sizes={"dropout": 0.3}, scheduled_sampling=LinearSampling()) for _ in range(2)]
    for disturbance, module in enumerate(modules):
        torch.manual_seed(disturbance)
        fit(module)
    assert equal(*(copied(module.model) for module in modules))


def test_the_decay_changes_the_average_and_nothing_else(new_module, fit, copied):
    slow, fast = new_module(), new_module(average_decay=0.05)
    fit(slow)
    fit(fast)
    assert equal(copied(slow.model), copied(fast.model))
    assert not equal(slow.step.average.weights, fast.step.average.weights)


def test_decay_zero_saves_the_raw_weights(new_module, fit, copied):
    module = new_module(average_decay=0.0)
    fit(module)
    assert equal(module.step.average.weights, copied(module.model))


# Learning


@pytest.mark.slow
def test_it_learns_eight_examples_by_heart(new_module, new_data, fit, splits):
    eight = Splits(train=splits.train[:8], dev=splits.train[:8])
    module = new_module(
        sizes={"embedding_size": 16, "encoder_size": 8, "decoder_size": 16, "feature_size": 16},
        dev_examples=eight.dev,
        optimizer=partial(torch.optim.Adam, lr=0.02),
        budget=Budget(max_steps=250),
    )
    trainer = fit(module, data=new_data(splits=eight, max_sentences=8, max_tokens=200))
    metrics = trainer.callback_metrics
    assert metrics["train/loss"] < 0.02
    assert metrics["dev/loss"] < 0.02
    assert metrics["dev/exact_match"] == 100


# Scores


class ShownTexts(ExactMatch):
    """What a metric is given, in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared, self.updates = [], []

    def settle(self, references) -> None:
        self.prepared.append(list(references))

    def update(self, hypotheses, references, sources=()) -> None:
        self.updates.append((list(references), list(sources)))
        super().update(hypotheses, references, sources)


def test_a_metric_is_told_all_references_once_and_then_its_share_with_the_sources(new_module, fit, splits, monkeypatch):
    scores = ShownTexts()
    module = new_module(scores={"shown": scores}, dev_examples=splits.dev)
    monkeypatch.setattr(type(module), "global_rank", 1)
    monkeypatch.setattr(lightning.Trainer, "world_size", property(lambda trainer: 2 if scores.prepared else 1))
    fit(module)
    everything = [example.targets for example in splits.dev]
    mine = splits.dev[1::2]
    assert scores.prepared == [everything]
    assert scores.updates == [([example.targets for example in mine], [example.source for example in mine])]
