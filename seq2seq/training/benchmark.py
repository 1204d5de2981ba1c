"""How fast a model trains, in tokens and beside the machine's own speed at matrix products."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import nn

from seq2seq.data.batch import Batch
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.models.seq2seq import multiply_accumulates
from seq2seq.symbols import PAD
from seq2seq.training.callbacks.throughput import padding_efficiency
from seq2seq.training.module import Seq2SeqModule

_GEMM = 512, 2048, 512  # rows, columns and depth of the product whose rate stands for the machine's


@dataclass
class Stopwatch:
    """Seconds by name."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def benchmark(
    module: Seq2SeqModule,
    data: Seq2SeqDataModule,
    *,
    precision: str,
    device: torch.device,
    steps: int,
    warmup: int,
    gradient_clip_val: float | None,
) -> dict[str, Any]:
    """Train for warmup + steps steps; rates are of the latter, the GEMM rate is measured in between."""
    dtype = _dtype(precision)
    module.to(device).train()
    step = _step_function(module, dtype, device, gradient_clip_val)
    batches, watch = _endless(data, device), Stopwatch(device)
    for _ in range(warmup):
        step(next(batches), watch)
    rates = [gemm_rate(dtype, device)]
    watch, seen = Stopwatch(device), []
    for number in range(1, steps + 1):
        with watch.time("data"):
            batch = next(batches)
        step(batch, watch)
        seen.append(batch)
        if number % max(1, steps // 5) == 0:
            rates.append(gemm_rate(dtype, device))
    return _report(module, seen, watch.seconds, median(rates), precision)


def compare(
    modules: Mapping[str, Seq2SeqModule],
    data: Seq2SeqDataModule,
    *,
    precision: str,
    device: torch.device,
    rounds: int,
    warmup: int,
    gradient_clip_val: float | None,
) -> list[dict[str, Any]]:
    """Train several models in turn, all on the same batches; medians, and rates beside that of the first."""
    dtype = _dtype(precision)
    steps = {
        name: _step_function(module.to(device).train(), dtype, device, gradient_clip_val)
        for name, module in modules.items()
    }
    rates: dict[str, list[float]] = {name: [] for name in modules}
    batches = _endless(data, device)
    for number in track(range(warmup + rounds), "comparing", console=Console(stderr=True), transient=True):
        batch = next(batches)
        for name, step in steps.items():
            watch = Stopwatch(device)
            step(batch, watch)
            if number >= warmup:
                rates[name].append(batch.step_tokens / sum(watch.seconds.values()))
    first = next(iter(rates.values()))
    return [
        {
            "name": name,
            "target_tokens_per_second": round(median(found)),
            "share_of_first": round(median(own / other for own, other in zip(found, first, strict=True)), 3),
            "parameters": sum(parameter.numel() for parameter in modules[name].model.parameters()),
        }
        for name, found in rates.items()
    ]


def _dtype(precision: str) -> torch.dtype:
    return torch.bfloat16 if precision.startswith("bf16") else torch.float32


def _step_function(
    module: Seq2SeqModule, dtype: torch.dtype, device: torch.device, gradient_clip_val: float | None
) -> Callable[[Batch, Stopwatch], None]:
    optimizer = module.configure_optimizers()
    limit = float("inf") if gradient_clip_val is None else gradient_clip_val

    def step(batch: Batch, watch: Stopwatch) -> None:
        with watch.time("forward"), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            loss = module.objective(module.model, batch, batch.target_inputs).total / batch.step_tokens
        with watch.time("backward"):
            loss.backward()
        with watch.time("optimizer"):
            nn.utils.clip_grad_norm_(module.model.parameters(), limit)
            optimizer.step()
            optimizer.zero_grad()
            module.average.update()

    return step


def _endless(data: Seq2SeqDataModule, device: torch.device) -> Iterator[Batch]:
    epoch = 0
    while True:
        for rows in data.train_plan.epoch(epoch):
            tokens = float((data.train_pairs.target.lengths[rows] + 1).sum())
            yield data.train_pairs.batch(rows, step_tokens=tokens).to(device)
        epoch += 1


def gemm_rate(dtype: torch.dtype, device: torch.device, *, seconds: float = 0.3) -> float:
    """FLOP per second of a matrix product."""
    rows, columns, depth = _GEMM
    left = torch.randn(rows, depth, device=device, dtype=dtype)
    right = torch.randn(columns, depth, device=device, dtype=dtype)
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds or count < 10:
        for _ in range(10):
            nn.functional.linear(left, right)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        count += 10
    return 2 * rows * columns * depth * count / elapsed


def _report(
    module: Seq2SeqModule, batches: list[Batch], seconds: dict[str, float], gemm: float, precision: str
) -> dict[str, Any]:
    """Model FLOP count 2 per multiply-accumulate and, in training, three times the forward pass."""
    total = sum(seconds.values())
    tokens = sum(batch.step_tokens for batch in batches)
    work = sum(
        float(multiply_accumulates(module.model, b.source_lengths, (b.target_outputs != PAD).sum(1)).sum())
        for b in batches
    )
    rate = 6 * work / total
    return {
        "target_tokens_per_second": round(tokens / total),
        "padding_efficiency": round(sum(map(padding_efficiency, batches)) / len(batches), 4),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "flop_per_target_token": round(6 * work / tokens),
        "model_gflop_per_second": round(rate / 1e9, 1),
        "gemm_gflop_per_second": round(gemm / 1e9, 1),
        "share_of_gemm_rate": round(rate / gemm, 4),
        "parameters": sum(parameter.numel() for parameter in module.model.parameters()),
        "precision": precision,
        "threads": torch.get_num_threads(),
        "steps": len(batches),
    }
