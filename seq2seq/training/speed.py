"""The speed of training, in tokens and beside the machine's own speed at matrix products."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.plugins.precision import Precision
from rich.console import Console
from rich.progress import track
from torch import nn

from seq2seq.data.batch import Batch
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.errors import UserError
from seq2seq.models.cost import multiply_accumulates
from seq2seq.models.input_feeding import path
from seq2seq.models.sizes import parameter_count
from seq2seq.training.callbacks.throughput import padding_efficiency
from seq2seq.training.footprint import footprint
from seq2seq.training.module import Seq2SeqModule
from seq2seq.training.profile import Profile
from seq2seq.training.windows import endless_windows

_DTYPES = {"bf16": torch.bfloat16, "16": torch.float16, "64": torch.float64}
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": time.thread_time}
_GEMM = 512, 2048, 512  # rows, columns and depth of the product whose rate stands for the machine's


@dataclass
class Stopwatch:
    """A stopwatch that adds up seconds of a clock by name."""

    device: torch.device
    clock: Callable[[], float] = time.perf_counter
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Add the seconds that the block inside takes, work on the device included."""
        started = self.clock()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.seconds[name] = self.seconds.get(name, 0.0) + self.clock() - started


class Conditions:
    """The conditions of speed beside the model and its data: the device, and how Lightning handles the precision.

    Seconds are those of a clock: `wall`, or `processor`, which counts what one thread ran, whatever ran beside it.
    Raises UserError at another.
    """

    def __init__(self, precision: str, accelerator: str = "auto", clock: str = "wall") -> None:
        options: dict[str, Any] = dict.fromkeys(
            ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
        )
        options |= {"accelerator": accelerator, "devices": 1, "precision": precision}
        trainer: Any = lightning.Trainer(**options)
        self.precision = precision
        self.device: torch.device = trainer.strategy.root_device
        self.handling: Precision = trainer.precision_plugin
        self.dtype = _DTYPES.get(precision.partition("-")[0], torch.float32)  # of matrix products
        if clock not in CLOCKS:
            raise UserError(f"clock must be one of {', '.join(CLOCKS)}, but is {clock!r}.")
        self.clock, self.of_one_thread = CLOCKS[clock], clock == "processor"

    def check_clock(self) -> None:
        """Check that the clock sees all of the work. Raises UserError where others than this thread do part of it."""
        if self.of_one_thread and self.device.type != "cpu":
            raise UserError(
                f"clock=processor times a CPU, but steps run on {self.device.type}: choose the CPU, or clock=wall."
            )
        if self.of_one_thread and (threads := torch.get_num_threads()) > 1:
            raise UserError(
                f"clock=processor counts the seconds of one thread, but there are {threads}: add threads=1."
            )


class SteppedModule:
    """A module that takes the steps that it would take in Lightning's loop."""

    def __init__(self, module: Seq2SeqModule, conditions: Conditions) -> None:
        self.module = module.to(conditions.device).train()
        self.handling = conditions.handling
        self.handling.convert_module(self.module)
        self.optimizer = module.configure_optimizers()
        self.steps = 0
        module.budget.start()

    def take_step(self, batch: Batch, timed: Callable[[str], AbstractContextManager]) -> None:
        """Train on a batch; `timed` sees the parts of the step."""
        self.module.step.take(
            self.handling.convert_input(batch),
            self.optimizer,
            step=self.steps,
            spent=self.module.budget.spent(self.steps),
            autocast=self.handling.train_step_context,
            scaler=getattr(self.handling, "scaler", None),
            timed=timed,
        )
        self.steps += 1


def benchmark(
    module: Seq2SeqModule,
    data: Seq2SeqDataModule,
    conditions: Conditions,
    *,
    steps: int,
    warmup: int,
    profile: bool = False,
    memory: bool = False,
) -> dict[str, Any]:
    """Train for warmup + steps steps and report rates of the latter, the GEMM rate measured in between.

    For a profile each step is taken once more, with every operation timed; for memory one more, on the largest batch.
    """
    device, clock = conditions.device, conditions.clock
    rate = partial(gemm_rate, conditions.dtype, device, clock=clock)
    trained = SteppedModule(module, conditions)
    batches, watch = (batch for (batch,) in endless_windows(data, 1, device)), Stopwatch(device, clock)
    for _ in range(warmup):
        trained.take_step(next(batches), watch.time)
    rates, watch, seen, costs = [rate()], Stopwatch(device, clock), [], Profile(clock)
    for number in range(1, steps + 1):
        with watch.time("data"):
            batch = next(batches)
        trained.take_step(batch, watch.time)
        seen.append(batch)
        if profile:
            with costs:
                trained.take_step(batch, costs.part)
        if number % max(1, steps // 5) == 0:
            rates.append(rate())
    report = _report(module, seen, watch.seconds, median(rates), conditions.precision)
    if profile:
        report["profile"] = costs.report(steps, sum(watch.seconds.values()))
    return {**report, "memory": _memory(trained, max(seen, key=_size), device)} if memory else report


def compare(
    modules: Mapping[str, Seq2SeqModule], data: Seq2SeqDataModule, conditions: Conditions, *, rounds: int, warmup: int
) -> list[dict[str, Any]]:
    """Train several models in turn on the same batches, and report medians, also as shares of the first model's.

    Each round begins with another model: the one that meets a batch first finds nothing of it in the cache.
    """
    trained = {name: SteppedModule(module, conditions) for name, module in modules.items()}
    rates: dict[str, list[float]] = {name: [] for name in modules}
    batches = (batch for (batch,) in endless_windows(data, 1, conditions.device))
    for number in track(range(warmup + rounds), "comparing", console=Console(stderr=True), transient=True):
        batch = next(batches)
        turns = [*trained.items()]
        for name, one in turns[number % len(turns) :] + turns[: number % len(turns)]:
            watch = Stopwatch(conditions.device, conditions.clock)
            one.take_step(batch, watch.time)
            if number >= warmup:
                rates[name].append(batch.step_tokens / sum(watch.seconds.values()))
    first = next(iter(rates.values()))
    return [
        {
            "name": name,
            "target_tokens_per_second": round(median(found)),
            "share_of_first": round(median(own / other for own, other in zip(found, first, strict=True)), 3),
            "parameters": parameter_count(modules[name].model),
        }
        for name, found in rates.items()
    ]


def _memory(trained: SteppedModule, batch: Batch, device: torch.device) -> dict[str, Any]:
    """Megabytes of a step on a batch by what for, and how large the batch is."""
    take = partial(trained.take_step, batch)
    found = footprint(trained.module.step, trained.optimizer, take, device)
    sentences, source = batch.source.shape[:2]
    return {
        "sentences": sentences,
        "source_length": source,
        "target_length": batch.target_inputs.shape[1],
        "megabytes": {name: round(count / 1e6, 2) for name, count in found.items()},
    }


def _size(batch: Batch) -> int:
    return batch.positions


def gemm_rate(
    dtype: torch.dtype,
    device: torch.device,
    *,
    seconds: float = 0.3,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The FLOP per second of a matrix product."""
    rows, columns, depth = _GEMM
    left = torch.randn(rows, depth, device=device, dtype=dtype)
    right = torch.randn(columns, depth, device=device, dtype=dtype)
    count, started = 0, clock()
    while (elapsed := clock() - started) < seconds or count < 10:
        for _ in range(10):
            nn.functional.linear(left, right)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        count += 10
    return 2 * rows * columns * depth * count / elapsed


def _report(
    module: Seq2SeqModule, batches: list[Batch], seconds: dict[str, float], gemm: float, precision: str
) -> dict[str, Any]:
    """The report of a benchmark. FLOP are 2 per multiply-accumulate and, in training, three times the forward pass."""
    total = sum(seconds.values())
    tokens = sum(batch.step_tokens for batch in batches)
    work = sum(float(multiply_accumulates(module.model, b.source_lengths, b.target_mask.sum(1)).sum()) for b in batches)
    rate = 6 * work / total
    return {
        "target_tokens_per_second": round(tokens / total),
        "padding_efficiency": round(sum(map(padding_efficiency, batches)) / len(batches), 4),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "flop_per_target_token": round(6 * work / tokens),
        "model_gflop_per_second": round(rate / 1e9, 1),
        "gemm_gflop_per_second": round(gemm / 1e9, 1),
        "share_of_gemm_rate": round(rate / gemm, 4),
        "parameters": parameter_count(module.model),
        "decoder": path(module.model.decoder),
        "precision": precision,
        "threads": torch.get_num_threads(),
        "steps": len(batches),
    }
