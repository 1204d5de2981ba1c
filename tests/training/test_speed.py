"""The report of a benchmark, and where its numbers come from."""

import time
from functools import partial
from itertools import chain, count, islice
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from tiny_run import TINY_RUN

from seq2seq.commands.benchmark import benchmark_config
from seq2seq.config.contract import resolve
from seq2seq.data.batch import Batch
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.models.cost import multiply_accumulates
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.training.budget import Budget
from seq2seq.training.callbacks.throughput import padding_efficiency
from seq2seq.training.feeding import Feeding
from seq2seq.training.gradients.clip_by_norm import ClipByNorm
from seq2seq.training.objectives.wrapping import WrappingObjective
from seq2seq.training.scheduled_sampling import LinearSampling
from seq2seq.training.schedules import CosineSchedule
from seq2seq.training.speed import CLOCKS, Conditions, Stopwatch, benchmark, compare, gemm_rate
from seq2seq.training.windows import endless_windows

CPU = torch.device("cpu")
KEYS = [
    "target_tokens_per_second",
    "padding_efficiency",
    "seconds",
    "flop_per_target_token",
    "model_gflop_per_second",
    "gemm_gflop_per_second",
    "share_of_gemm_rate",
    "parameters",
    "decoder",
    "precision",
    "threads",
    "steps",
]
TRUE = [pytest.param(precision, marks=pytest.mark.slow) for precision in ("bf16-true", "64-true")]
BF16_MIXED = pytest.param("bf16-mixed", marks=pytest.mark.needs_bfloat16)
WARMUP, STEPS = 2, 20  # several epochs


@pytest.fixture(autouse=True)
def _short_products(monkeypatch) -> None:
    """The machine's rate, whatever it is, from a moment of products."""
    monkeypatch.setattr("seq2seq.training.speed.gemm_rate", partial(gemm_rate, seconds=0.01))


def test_the_report_is_that_of_the_timed_steps(new_module, new_data, copied):
    module, data = new_module(), new_data()
    start = copied(module.model)
    report = benchmark(module, data, Conditions("32-true", "cpu"), steps=STEPS, warmup=WARMUP)
    batches = timed_batches(data)
    tokens = sum(int(batch.target_mask.sum()) for batch in batches)
    assert list(report) == KEYS
    assert report["flop_per_target_token"] == round(6 * work(module.model, batches) / tokens)
    assert report["padding_efficiency"] == round(sum(map(padding_efficiency, batches)) / STEPS, 4)
    assert report["parameters"] == sum(weight.numel() for weight in module.model.parameters())
    assert report["decoder"] == "whole target"
    assert report["steps"] == STEPS
    assert report["precision"] == "32-true"
    assert report["threads"] == torch.get_num_threads()
    assert_rates_fit(report, tokens)
    assert module.step.average.updates == WARMUP + STEPS
    assert all(not torch.equal(weight, start[name]) for name, weight in copied(module.model).items())


@pytest.mark.parametrize("precision", ["32-true", BF16_MIXED, *TRUE])
def test_its_steps_are_those_of_the_loop_that_trains(new_module, new_data, fit, copied, precision):
    """The same weights and average, bit for bit: what is measured is what trains."""
    options = {
        "sizes": {"dropout": 0.3},
        "scheduled_sampling": LinearSampling(options=Feeding(floor=0.0, feed="sample")),
        "gradients": ClipByNorm(max_norm=0.5),
        "schedule": CosineSchedule(warmup_steps=2),
        "budget": Budget(max_steps=7),
    }
    looped, measured = new_module(**options), new_module(**options)
    start = copied(looped.model)
    fit(looped, precision=precision)
    benchmark(measured, new_data(), Conditions(precision, "cpu"), steps=5, warmup=2)
    weights, wanted = copied(measured.model), copied(looped.model)
    for name, weight in weights.items():
        assert torch.equal(weight, wanted[name])
        assert torch.equal(measured.step.average.weights[name], looped.step.average.weights[name])
        assert not torch.equal(weight, start[name])


def timed_batches(data: Seq2SeqDataModule) -> list[Batch]:
    rows = chain.from_iterable(data.train_plan.epoch(number) for number in count())
    return [data.train_pairs.batch(part, step_tokens=1.0) for part in islice(rows, WARMUP, WARMUP + STEPS)]


def work(model: Seq2Seq, batches: list[Batch]) -> int:
    lengths = [(batch.source_lengths, batch.target_mask.sum(1)) for batch in batches]
    return sum(int(multiply_accumulates(model, *pair).sum()) for pair in lengths)


def assert_rates_fit(report: dict[str, Any], tokens: int) -> None:
    """Rates follow from the counts and seconds, up to what is rounded off."""
    assert list(report["seconds"]) == ["data", "forward", "backward", "optimizer"]
    assert all(value > 0 for value in report["seconds"].values())
    total = sum(report["seconds"].values())
    assert report["target_tokens_per_second"] == pytest.approx(tokens / total, rel=0.1)
    gflop = report["flop_per_target_token"] * tokens / total / 1e9
    assert report["model_gflop_per_second"] == pytest.approx(gflop, rel=0.1, abs=0.05)
    gemm = report["gemm_gflop_per_second"]
    assert 0 < report["share_of_gemm_rate"] < 1
    assert report["share_of_gemm_rate"] * gemm == pytest.approx(gflop, rel=0.1, abs=gemm * 1e-4)


class Seeing(WrappingObjective):
    """An objective that keeps the batches it was asked about."""

    def __init__(self, base):
        super().__init__(base)
        self.seen = []

    def __call__(self, model, batch, inputs):
        self.seen.append(batch)
        return self.base(model, batch, inputs)

    def loss(self, model, batch, outputs):
        return self.base.loss(model, batch, outputs)


def test_models_are_compared_step_by_step_on_the_same_batches(new_module, new_data):
    modules = {"first": new_module(), "second": new_module(sizes={"cell": GRUCell})}
    for module in modules.values():
        module.step.objective = Seeing(module.step.objective)
    seen = {name: module.step.objective.seen for name, module in modules.items()}
    rows = compare(modules, new_data(), Conditions("32-true", "cpu"), rounds=3, warmup=2)
    assert [row["name"] for row in rows] == ["first", "second"]
    assert rows[0]["share_of_first"] == 1
    assert len(seen["first"]) == 5
    assert all(one is other for one, other in zip(seen["first"], seen["second"], strict=True))
    for row, module in zip(rows, modules.values(), strict=True):
        assert row["parameters"] == sum(weight.numel() for weight in module.model.parameters())
        assert row["target_tokens_per_second"] > 0
        assert module.step.average.updates == 5


def test_cells_of_a_config_are_compared(tiny_benchmark):
    too_wide = ("lstm_low_rank", "lstm_factorized", "conv_lstm")  # of rank 64, and of pictures of 8 x 8
    given = ["mode=cells", "rounds=1", "warmup=0", *(f"~kinds.{name}" for name in too_wide), "budget.max_steps=1"]
    config = tiny_benchmark(*given)
    report = benchmark_config(config)
    names = [row["name"] for row in report["cells"]]
    assert names[0] == "lstm"
    assert {"gru", "elman_relu", "mogrifier", "lstm_peephole"} <= set(names)
    assert len({row["parameters"] for row in report["cells"]}) > 6
    config["kinds"] = {}
    with pytest.raises(UserError) as error:
        benchmark_config(config)
    assert str(error.value) == (
        "kinds must hold at least one cell, but is empty: keep one of those in conf/kinds/cells.yaml."
    )


def test_options_are_compared_beside_none(tiny_benchmark, config_of, monkeypatch):
    given = ["mode=options", "rounds=1", "warmup=0", "choices=['optimizer=adamw decay_all=true','model.dropout=0.2']"]
    config = tiny_benchmark(*given, "budget.max_steps=1")
    monkeypatch.setattr("seq2seq.commands.benchmark.given_overrides", lambda: [*given, *TINY_RUN, "budget.max_steps=1"])
    monkeypatch.setattr("seq2seq.commands.benchmark.composed", lambda script, own: resolve(config_of(script, *own)))
    report = benchmark_config(config)
    names = [row["name"] for row in report["options"]]
    assert names == ["as it is", "optimizer=adamw decay_all=true", "model.dropout=0.2"]
    config["choices"] = []
    with pytest.raises(UserError, match="choices must be overrides, such as "):
        benchmark_config(config)


def test_what_was_recorded_of_peers_stands_beside_a_speed_of_now(tiny_benchmark, capsys):
    given = ["mode=peers", "steps=2", "warmup=0", "budget.max_steps=1", "recorded.yoyodyne=307", "recorded_on=moon"]
    report = benchmark_config(tiny_benchmark(*given))
    assert report["mode"] == "peers"
    assert report["precision"] == "32-true"
    assert report["recorded"] == {"this_framework": 3070, "opennmt_py": 2060, "joeynmt": 1220, "yoyodyne": 307}
    rows = [line for line in capsys.readouterr().err.splitlines() if "│" in line]
    assert f"{report['target_tokens_per_second']:,}" in rows[0]
    assert "here and now" in rows[0]
    assert all(text in rows[-1] for text in ("yoyodyne", "307", "10%", "moon"))
    assert sum("moon" in row for row in rows) == 4


def test_peers_are_measured_at_the_size_that_was_recorded(config_of):
    plain = resolve(config_of("benchmark", "mode=peers"))
    model = plain["model"]
    sizes = [model["embedding_size"], model["encoder"]["num_layers"], model["encoder"]["hidden_size"]]
    assert [*sizes, model["decoder"]["num_layers"], model["decoder"]["hidden_size"]] == [256, 2, 256, 1, 512]
    assert model["decoder"]["attention"]["_target_"].endswith("DotAttention")
    assert plain["batches"]["max_sentences"] == 256


@pytest.mark.parametrize("speed", [0, -3.5, "fast", True])
def test_what_is_no_speed_is_told(tiny_benchmark, speed):
    config = tiny_benchmark("mode=peers", f"recorded.joeynmt={speed}", "budget.max_steps=1")
    with pytest.raises(UserError) as error:
        benchmark_config(config)
    assert str(error.value) == f"recorded.joeynmt must be target tokens a second, above 0, but is {speed!r}."


def test_no_speed_of_a_peer_is_told(tiny_benchmark):
    config = tiny_benchmark("mode=peers", "budget.max_steps=1")
    config["recorded"] = {}
    with pytest.raises(UserError) as error:
        benchmark_config(config)
    assert str(error.value) == (
        "recorded must hold at least one speed, but is empty: keep one of those in conf/mode/peers.yaml."
    )


def test_seconds_of_the_processor_leave_out_what_a_thread_waits():
    watches = {name: Stopwatch(CPU, clock) for name, clock in CLOCKS.items()}
    with watches["wall"].time("step"), watches["processor"].time("step"):
        time.sleep(0.2)
    assert watches["processor"].seconds["step"] < 0.1 < 0.2 <= watches["wall"].seconds["step"]


def test_a_benchmark_counts_all_its_seconds_by_the_clock_that_it_is_given(new_module, new_data, monkeypatch):
    ticks = count()
    monkeypatch.setitem(CLOCKS, "processor", lambda: float(next(ticks)))
    where = Conditions("32-true", "cpu", "processor")
    report = benchmark(new_module(), new_data(), where, steps=3, warmup=1, profile=True)
    assert report["seconds"] == dict.fromkeys(("data", "forward", "backward", "optimizer"), 3.0)
    assert {row["milliseconds"] for row in report["profile"]} <= {1000.0 * calls for calls in range(400)}
    (row,) = compare({"one": new_module()}, new_data(), where, rounds=1, warmup=0)
    ((batch,),) = islice(endless_windows(new_data(), 1, CPU), 1)
    assert row["target_tokens_per_second"] == round(batch.step_tokens / 3)


def test_a_clock_that_would_not_see_all_of_the_work_is_refused(monkeypatch):
    with pytest.raises(UserError, match="^clock must be one of wall, processor, but is 'sun'.$"):
        Conditions("32-true", "cpu", "sun")
    Conditions("32-true", "cpu").check_clock()
    where = Conditions("32-true", "cpu", "processor")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with pytest.raises(UserError) as error:
        where.check_clock()
    assert str(error.value) == "clock=processor counts the seconds of one thread, but there are 2: add threads=1."
    where.device = torch.device("cuda")
    with pytest.raises(UserError, match="^clock=processor times a CPU, but steps run on cuda: choose the CPU"):
        where.check_clock()


def test_the_machines_rate_is_that_of_a_processor():
    assert 1e8 < gemm_rate(torch.float32, CPU, seconds=0.05) < 1e14


@pytest.mark.parametrize(("option", "least"), [("steps", 1), ("warmup", 0)])
@pytest.mark.parametrize("value", [-1, 2.5])
def test_counts_that_are_none_are_refused(tiny_config, option, least, value):
    config = OmegaConf.create(tiny_config(f"{option}={value}", "budget.max_steps=1", name="benchmark"))
    with pytest.raises(UserError) as error:
        benchmark_config(config)
    assert str(error.value) == f"{option} must be a whole number of at least {least}, but is {value}."


def test_outputs_are_measured_at_every_size_of_vocabulary(tiny_benchmark):
    sizes = ["sizes=[60,4000]", "sentences=16", "length=16", "kinds.sampled.samples=20", "kinds.chunked.chunk=16"]
    report = benchmark_config(tiny_benchmark("mode=vocabulary", *sizes, "threads=1", "rounds=1", "warmup=1"))
    assert report["target_tokens"] == 256
    rows = {(row["vocabulary"], row["output"]): row for row in report["rows"]}
    assert [*rows] == [
        (size, output) for size in (60, 4000) for output in ("full", "chunked", "adaptive", "sampled", "mixture")
    ]
    assert all(row["seconds_per_step"] > 0 for row in rows.values())
    scores = 256 * 4000 * 4 / 1e6  # megabytes
    peaks = {output: rows[4000, output]["megabytes_at_peak"] for output in ("full", "chunked", "adaptive", "sampled")}
    assert peaks["full"] > 2 * scores
    assert max(peaks["chunked"], peaks["adaptive"], peaks["sampled"]) < 1.5 * scores
    assert rows[4000, "full"]["parameters"] == rows[4000, "sampled"]["parameters"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["sizes=[]"], "kinds and sizes must hold at least one each: keep some of those in conf/mode/vocabulary.yaml."),
        (["sizes=[many]"], "sizes must be a whole number of at least 8, but is 'many'."),
        (["length=1"], "length must be a whole number of at least 2, but is 1."),
        (["sizes=[60]"], "model.output.samples must be at most 58, the tokens that can be said, but is 4096."),
    ],
)
def test_what_cannot_be_measured_of_outputs_is_one_line(tiny_benchmark, overrides, message):
    with pytest.raises(UserError) as error:
        benchmark_config(tiny_benchmark("mode=vocabulary", "sentences=2", "rounds=1", "warmup=0", *overrides))
    assert str(error.value) == message
