"""Tiny data, modules and trainers."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as lightning
import signatures  # noqa: F401  before anything of ours is imported
import torch
from omegaconf import DictConfig
from smallest_run import SMALLEST
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.commands.train import train
from seq2seq.data.batch import Batch, PairSequences
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.examples import Example, Splits
from seq2seq.data.sequences import TokenSequences
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.metrics.exact_match import ExactMatch
from seq2seq.symbols import BOS, PAD
from seq2seq.training.averaging import WeightAverage
from seq2seq.training.budget import Budget
from seq2seq.training.module import Seq2SeqModule
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.schedules import ConstantSchedule
from seq2seq.training.step import TrainingStep
from seq2seq.translation.translator import Translator

TINY_RUN = [*SMALLEST, "data.train_size=64", "logger=none"]


@pytest.fixture(scope="session")
def splits() -> Splits:
    """Strings and their reversals."""
    draw = random.Random(1)
    strings = dict.fromkeys(" ".join(draw.choices("abcdefgh", k=draw.randint(1, 5))) for _ in range(40))
    examples = [Example(text, (text[::-1],)) for text in strings]
    return Splits(train=examples[:24], dev=examples[24:30])


@pytest.fixture(scope="session")
def tokenizers(splits: Splits) -> Tokenizers:
    return TokenizerTrainer(source="word", target="word").train(splits.train)


@pytest.fixture
def new_data(splits: Splits, tokenizers: Tokenizers) -> Callable[..., Seq2SeqDataModule]:
    """Batches of at most six sentences, so four or more an epoch."""

    def build(**changes: Any) -> Seq2SeqDataModule:
        options = {"splits": splits, "tokenizers": tokenizers, "max_tokens": 72, "max_sentences": 6}
        return Seq2SeqDataModule(**options | changes)

    return build


@pytest.fixture
def new_module(build_model: Callable, splits: Splits, tokenizers: Tokenizers) -> Callable[..., Seq2SeqModule]:
    """A module for three steps; `sizes` go to the model, the rest to the step and the module."""

    def build(*, sizes: dict[str, Any] | None = None, **changes: Any) -> Seq2SeqModule:
        torch.manual_seed(1)
        vocabularies = {
            "source_vocabulary_size": tokenizers.source.size,
            "target_vocabulary_size": tokenizers.target.size,
        }
        model = build_model(**vocabularies | (sizes or {}))
        of_step: dict[str, Any] = {
            "model": model,
            "objective": CrossEntropy(label_smoothing=0.0),
            "optimizer": partial(torch.optim.Adam, lr=0.01),
            "schedule": ConstantSchedule(warmup_steps=0),
            "scheduled_sampling": None,
            "gradients": None,
            "average": WeightAverage(model, changes.pop("average_decay", 0.9)),
            "seed": 1,
        }
        options: dict[str, Any] = {
            "budget": Budget(max_steps=3),
            "translator": Translator(model, tokenizers, GreedySearch(length=LengthLimits(max_ratio=1.0, max_extra=2))),
            "dev_examples": splits.dev,
            "scores": {"exact_match": ExactMatch()},
            "complete": lambda checkpoint: None,
        }
        step = TrainingStep(**of_step | {name: value for name, value in changes.items() if name in of_step})
        return Seq2SeqModule(**{"step": step, **options} | {n: v for n, v in changes.items() if n not in of_step})

    return build


@pytest.fixture
def fit(new_data: Callable, tmp_path: Path) -> Callable[..., lightning.Trainer]:
    """Train a module as scripts/train.py would: fit(module, callback, ..., val_check_interval=2)."""

    def run(
        module: Seq2SeqModule,
        *callbacks: lightning.Callback,
        data: Seq2SeqDataModule | None = None,
        **changes: Any,
    ) -> lightning.Trainer:
        options: dict[str, Any] = {
            "accelerator": "cpu",
            "devices": 1,
            "logger": False,
            "max_epochs": -1,
            "val_check_interval": 1000,
            "check_val_every_n_epoch": None,
            "log_every_n_steps": 1,
            "reload_dataloaders_every_n_epochs": 1,
            "num_sanity_val_steps": 0,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "use_distributed_sampler": False,
            "inference_mode": False,
            "default_root_dir": tmp_path,
        }
        trainer = lightning.Trainer(**options | changes, callbacks=list(callbacks))
        trainer.fit(module, datamodule=data or new_data())
        return trainer

    return run


class Recorder(lightning.Callback):
    """Raw weights and learning rate after every optimizer step."""

    def __init__(self) -> None:
        self.weights: list[dict[str, Tensor]] = []
        self.rates: list[float] = []

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: Seq2SeqModule, *_: Any) -> None:
        self.weights.append(_copied(pl_module.model))
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


class Clock:
    """A clock that stands still until it is told."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time that passes in training only when the test says so."""
    clock = Clock()
    for module in ("budget", "callbacks.progress", "callbacks.progress_line", "time_left"):
        monkeypatch.setattr(f"seq2seq.training.{module}.time", clock)
    return clock


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="session")
def copied() -> Callable[[nn.Module], dict[str, Tensor]]:
    """A module's present weights, as copies by name."""
    return _copied


def _copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in module.named_parameters()}


@pytest.fixture(scope="session")
def new_batch() -> Callable[..., Batch]:
    """Sentences of ids as a batch, `extra` columns wider than needed on both sides."""

    def build(
        sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], *, extra: int = 0, silent: bool = False
    ) -> Batch:
        pairs = PairSequences(TokenSequences.from_ids(sources), TokenSequences.from_ids(targets))
        tokens = float(sum(len(target) + 1 for target in targets))
        batch = pairs.batch(torch.arange(len(sources)), step_tokens=tokens, silent=silent)
        source = functional.pad(batch.source, (0, extra), value=PAD)
        outputs = functional.pad(batch.target_outputs, (0, extra), value=PAD)
        inputs = functional.pad(batch.target_inputs, (0, extra), value=PAD)
        assert (inputs[:, 0] == BOS).all()
        return Batch(source, batch.source_lengths, inputs, outputs, tokens)

    return build


@pytest.fixture(scope="session")
def tiny_run() -> list[str]:
    """The overrides of a tiny run."""
    return TINY_RUN


@pytest.fixture(scope="session")
def tiny_config(plain_config_of: Callable) -> Callable[..., dict[str, Any]]:
    """The plain config of a tiny run, with overrides."""
    return lambda *overrides, name="train": plain_config_of(name, *TINY_RUN, *overrides)


@pytest.fixture(scope="session")
def tiny_benchmark(config_of: Callable) -> Callable[..., DictConfig]:
    """The config of scripts/benchmark.py for a tiny run, with its references."""
    return lambda mode, *overrides: config_of("benchmark", mode, *TINY_RUN, *overrides)


@pytest.fixture(scope="session")
def train_tiny(tiny_config: Callable) -> Callable[..., dict[str, float]]:
    """Run what scripts/train.py runs, in this process: train_tiny(folder, "budget.max_steps=3", resume=True)."""

    def run(folder: Path, *overrides: str, resume: bool = False) -> dict[str, float]:
        return train(tiny_config(*overrides), folder, resume=resume).scores

    return run


@pytest.fixture
def interrupt_at(monkeypatch):
    """Press Ctrl-C at a step of training, once."""

    def arrange(step: int) -> None:
        training_step, pressed = Seq2SeqModule.training_step, []

        def pressing(self, *arguments):
            if self.global_step == step and not pressed:
                pressed.append(step)
                raise KeyboardInterrupt
            return training_step(self, *arguments)

        monkeypatch.setattr(Seq2SeqModule, "training_step", pressing)

    return arrange
