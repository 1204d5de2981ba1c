"""What runs beside training, and what it leaves in TensorBoard."""

import io
import re

import pytest
import pytorch_lightning as lightning
import torch
from fake_cuda import place
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils._python_dispatch import TorchDispatchMode

from seq2seq.data.corpora.synthetic import SyntheticCorpus
from seq2seq.data.examples import Example
from seq2seq.errors import UserError
from seq2seq.training.budget import Budget
from seq2seq.training.callbacks.gate_monitor import GateMonitor
from seq2seq.training.callbacks.progress import BudgetProgress
from seq2seq.training.callbacks.samples import Samples
from seq2seq.training.callbacks.score_watch import ScoreWatch
from seq2seq.training.callbacks.throughput import Throughput, padding_efficiency
from seq2seq.training.module import Seq2SeqModule
from seq2seq.training.scheduled_sampling import LinearSampling

STEPS = 6


# Throughput


class Clock:
    """One second passes between any two looks."""

    now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


class Rates(lightning.Callback):
    """The logged rate after every step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_batch_end(self, trainer, *_) -> None:
        self.values.append(float(trainer.callback_metrics.get("train/target_tokens_per_second", -1)))


def step_tokens(data, steps: int) -> list[int]:
    """Target tokens of the first epoch's steps, EOS counted, from the text."""
    words = [len(example.targets[0].split()) + 1 for example in data.splits.train]
    return [sum(words[row] for row in rows.tolist()) for rows in data.train_plan.epoch(0)[:steps]]


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("seq2seq.training.callbacks.throughput.time", clock)
    return clock


def test_throughput_counts_the_target_tokens_since_the_last_log(new_module, new_data, fit, clock):
    data = new_data()
    throughput = Throughput()
    trainer = fit(new_module(budget=Budget(max_steps=4)), throughput, data=data, log_every_n_steps=2)
    tokens = step_tokens(data, 4)
    # A look when the window opens and one when it closes: a second.
    assert trainer.callback_metrics["train/target_tokens_per_second"] == tokens[2] + tokens[3]
    assert throughput.seconds == 1


def test_throughput_leaves_validation_out(new_module, new_data, fit, clock):
    data = new_data()
    changes = {"log_every_n_steps": 3, "val_check_interval": 2}
    trainer = fit(new_module(budget=Budget(max_steps=3)), Throughput(), data=data, **changes)
    # The window opens anew after the validation at step 2.
    assert trainer.callback_metrics["train/target_tokens_per_second"] == step_tokens(data, 3)[2]


def test_throughput_on_the_real_clock_is_plausible(new_module, new_data, fit):
    data, throughput = new_data(), Throughput()
    trainer = fit(new_module(budget=Budget(max_steps=4)), throughput, data=data, log_every_n_steps=4)
    assert 0 < throughput.seconds < 60
    rate = sum(step_tokens(data, 4)) / throughput.seconds
    assert trainer.callback_metrics["train/target_tokens_per_second"] == pytest.approx(rate)


def test_padding_efficiency_by_hand(new_batch):
    batch = new_batch([[4, 5, 6], [7]], [[4], [5, 5, 4]])
    # With EOS: sources 4 and 2 in a width of 4, targets 2 and 4 in a width of 4.
    assert padding_efficiency(batch) == (4 + 2 + 2 + 4) / 16
    assert padding_efficiency(new_batch([[4, 5]], [[6]])) == 1


# The watch on the score


class Validated:
    """A trainer that has just validated."""

    is_global_zero, global_step = True, 0

    def __init__(self) -> None:
        self.callback_metrics: dict[str, float] = {}

    def validate(self, watch: ScoreWatch, score: float, loss: float) -> None:
        self.global_step += 10
        self.callback_metrics |= {"dev/bleu": score, "dev/loss": loss}
        watch.on_validation_end(self, None)


def watched(scores: list[float], losses: list[float], mode: str = "max", **options) -> ScoreWatch:
    watch, trainer = ScoreWatch(monitor="dev/bleu", mode=mode, **options), Validated()
    for score, loss in zip(scores, losses, strict=True):
        trainer.validate(watch, score, loss)
    return watch


FALLING = [4.0, 3.0, 2.5, 2.0, 1.0, 0.5, 0.4]


def test_a_score_that_stays_while_the_loss_falls_is_warned_of_once(caplog):
    watched([0.0] * 7, FALLING)
    assert caplog.messages == [
        "step 30: dev/bleu was 0.00 at all of the first 3 validations, while dev/loss went from 4.00 to 2.50: it "
        "cannot tell which checkpoint is best. Look at what comes out; another monitor.metric, or other options of "
        "the metric, may suit these texts"
    ]


def test_the_number_of_validations_is_an_option(caplog):
    watched([100.0] * 5, FALLING[:5], mode="min", validations=6)
    assert caplog.messages == []
    watched([100.0] * 5, FALLING[:5], mode="min", validations=5)
    assert caplog.messages[0].startswith("step 50: dev/bleu was 100.00 at all of the first 5 validations")


@pytest.mark.parametrize(
    ("scores", "losses", "mode"),
    [
        ([0.0, 0.1, 0.0, 0.0, 0.0], FALLING[:5], "max"),  # it did move
        ([0.0, 0.0], FALLING[:2], "max"),
        ([0.0, 0.0, 0.0], [2.0, 2.0, 2.0], "max"),  # nothing was learnt
        ([100.0, 100.0, 100.0], FALLING[:3], "max"),  # as good as can be
        ([0.0, 0.0, 0.0], FALLING[:3], "min"),
    ],
)
def test_a_score_that_moves_or_cannot_is_not_warned_of(scores, losses, mode, caplog):
    watched(scores, losses, mode)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validations": 1}, "validations must be at least 2, but is 1: a single one has nothing to equal."),
        ({"mode": "most"}, "mode must be max or min, but is 'most'."),
    ],
)
def test_options_of_the_watch_out_of_range(options, message):
    with pytest.raises(UserError) as error:
        ScoreWatch(**{"monitor": "dev/bleu", "mode": "max"} | options)
    assert str(error.value) == message


def test_a_run_watches_the_score_that_it_monitors(train_tiny, tmp_path, caplog):
    overrides = ["metrics=translation", "budget.max_steps=4", "trainer.val_check_interval=1", "optimizer.lr=1e-6"]
    train_tiny(tmp_path, *overrides)
    said = [message for message in caplog.messages if "validations" in message]
    assert len(said) == 1
    assert said[0].startswith("step 3: dev/bleu was ")


# Waits for the device


class Reads(TorchDispatchMode):
    """The functions of ours that read a number from a tensor, by the step in which they did; data stay on the host."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.found = 0, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._local_scalar_dense.default and not (where := place()).startswith(
            ("a test", "data/")
        ):
            self.found.append((self.step, where))
        return func(*args, **(kwargs or {}))


class Watch(lightning.Callback):
    """Tells the reads in which step they come."""

    def __init__(self, reads: Reads) -> None:
        self.reads = reads

    def on_train_batch_start(self, trainer, *_) -> None:
        self.reads.step = trainer.global_step + 1

    def on_validation_start(self, *_) -> None:
        self.reads.step = 0


@pytest.fixture
def numbers(monkeypatch) -> list[tuple[int, str]]:
    """The steps, and names, in which a number that is no tensor was logged."""
    found, log = [], Seq2SeqModule.log

    def noting(module, name, value, **options) -> None:
        if not torch.is_tensor(value):
            found.append((module.trainer.fit_loop.epoch_loop.total_batch_idx + 1, name))
        log(module, name, value, **options)

    monkeypatch.setattr(Seq2SeqModule, "log", noting)
    return found


def test_no_step_that_is_not_logged_reads(new_module, fit, tmp_path):
    reads = Reads()
    progress = BudgetProgress(refresh_every=1)
    progress.console = Console(force_terminal=True, file=io.StringIO())
    logger = CSVLogger(str(tmp_path))
    with reads:
        callbacks = Watch(reads), Throughput(), progress, GateMonitor()
        fit(new_module(budget=Budget(max_steps=7)), *callbacks, log_every_n_steps=3, logger=logger)
    # Whether a step was left out is asked at once on a CPU alone, where nothing has to be waited for.
    found = [(step, where) for step, where in reads.found if step and "skipping" not in where]
    assert {step for step, _ in found} == {3, 6}
    assert not [where for step, where in reads.found if step and "gate_monitor" in where]  # a list is one read


def test_no_number_is_logged_in_other_steps(new_module, fit, numbers):
    """Lightning copies a number to the device, which waits as reading one does."""
    module = new_module(budget=Budget(max_steps=7), scheduled_sampling=LinearSampling())
    fit(module, Throughput(), log_every_n_steps=3)
    assert {step for step, _ in numbers} == {3, 6}
    assert {"train/learning_rate", "train/true_tokens"} < {name for _, name in numbers}


def test_the_bar_shows_the_rate_that_was_logged_last(new_module, fit):
    progress = BudgetProgress(refresh_every=1)
    progress.console = Console(force_terminal=True, file=io.StringIO(), width=200)
    fit(new_module(budget=Budget(max_steps=5)), Throughput(), progress, log_every_n_steps=2)
    assert re.search(r"step 5 \| epoch \d+ \| [\d,]+ tokens/s", progress.console.file.getvalue())


# TensorBoard


@pytest.fixture(scope="module")
def events(train_tiny, tmp_path_factory) -> EventAccumulator:
    folder = tmp_path_factory.mktemp("events")
    overrides = ["logger=tensorboard", "trainer.val_check_interval=3", "callbacks.samples.count=2", "optimizer.lr=0.01"]
    train_tiny(folder, *overrides, f"budget.max_steps={STEPS}")
    everything = {"scalars": 0, "images": 0, "tensors": 0}
    return EventAccumulator(str(folder / "tensorboard"), size_guidance=everything).Reload()


@pytest.mark.parametrize(
    "name",
    [
        "train/loss",
        "train/learning_rate",
        "train/gradient_norm",
        "train/target_tokens_per_second",
        "train/padding_efficiency",
    ],
)
def test_every_step_is_in_the_log(events, name):
    scalars = events.Scalars(name)
    assert len(scalars) == STEPS
    assert all(scalar.value > 0 for scalar in scalars)


@pytest.mark.parametrize("name", ["dev/loss", "dev/exact_match"])
def test_every_validation_is_in_the_log(events, name):
    scalars = events.Scalars(name)
    assert len(scalars) == 2
    assert all(scalar.value >= 0 for scalar in scalars)


def test_the_logged_learning_rate_is_that_of_its_step(events):
    # Two steps of warm-up, then the cosine over six.
    factors = [1 / 3, 2 / 3 * 0.9330127, 0.75, 0.5, 0.25, 0.0669873]
    assert [s.value for s in events.Scalars("train/learning_rate")] == pytest.approx([0.01 * f for f in factors])


def test_efficiencies_are_shares(events):
    assert all(0.5 < scalar.value <= 1 for scalar in events.Scalars("train/padding_efficiency"))


def text(events: EventAccumulator, name: str) -> list[str]:
    return [event.tensor_proto.string_val[0].decode() for event in events.Tensors(f"{name}/text_summary")]


def test_samples_are_text_with_source_and_reference(events, tiny_config):
    options = {name: value for name, value in tiny_config()["data"].items() if name != "_target_"}
    examples = SyntheticCorpus(**options).load().dev[:3]
    tables = text(events, "dev/samples")
    assert len(tables) == 2
    for table in tables:
        header, _, *rows = table.splitlines()
        assert header == "| source | output | reference |"
        assert len(rows) == 2
        for row, example in zip(rows, examples, strict=False):
            assert row.startswith(f"| {example.source} | ")
            assert row.endswith(f" | {example.targets[0]} |")


def test_samples_are_pictures_of_attention(events):
    assert sorted(events.Tags()["images"]) == ["dev/attention/0", "dev/attention/1"]
    pictures = events.Images("dev/attention/0")
    assert [picture.step for picture in pictures] == [3, 6]
    assert all(picture.encoded_image_string.startswith(b"\x89PNG") and picture.width > 100 for picture in pictures)


def test_the_resolved_config_is_in_the_event_file(events):
    (config,) = text(events, "config")
    assert config.startswith("```yaml\n")
    assert "max_steps: 6\n" in config
    assert "train_size: 64\n" in config
    assert "${" not in config


def test_the_hyperparameters_are_in_the_event_file(events):
    content = events.summary_metadata[metadata.SESSION_START_INFO_TAG].plugin_data.content
    hparams = HParamsPluginData.FromString(content).session_start_info.hparams
    assert hparams["optimizer.lr"].number_value == pytest.approx(0.01)
    assert hparams["data.train_size"].number_value == 64
    assert hparams["precision"].string_value == "32-true"
    assert not any("_target_" in name for name in hparams)
    content = events.summary_metadata[metadata.EXPERIMENT_TAG].plugin_data.content
    metrics = HParamsPluginData.FromString(content).experiment.metric_infos
    assert [metric.name.tag for metric in metrics] == ["test/exact_match"]
    assert 0 <= events.Scalars("test/exact_match")[-1].value <= 100


def test_a_bar_in_a_text_does_not_break_the_table(new_module, fit, tmp_path):
    logger = TensorBoardLogger(str(tmp_path), name="board", version="")
    dev = [Example("a | b", ("b | a", "a")), Example(" ", ("a",))]
    module = new_module(dev_examples=dev, budget=Budget(max_steps=1))
    fit(module, Samples(count=2), logger=logger)
    logger.finalize("success")
    (table,) = text(EventAccumulator(str(tmp_path / "board")).Reload(), "dev/samples")
    *_, row = table.splitlines()
    assert row.startswith("| a \\| b | ")
    assert row.endswith(" | b \\| a / a |")
    assert len(table.splitlines()) == 3  # nothing to look at in an empty source
    assert torch.is_grad_enabled()
