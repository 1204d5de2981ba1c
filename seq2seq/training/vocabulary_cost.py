"""The cost of a training step by the size of the target vocabulary: seconds, and memory at its peak."""

import time
from statistics import median
from typing import Any

import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.models.sizes import parameter_count
from seq2seq.symbols import BOS, EOS
from seq2seq.training.footprint import peak_bytes
from seq2seq.training.speed import Conditions
from seq2seq.training.step import TrainingStep


def random_batch(*, sentences: int, length: int, sources: int, targets: int, seed: int) -> Batch:
    """A batch of random sentences of one length, from vocabularies of these sizes; ids come as 1 / rank (Zipf)."""
    random = torch.Generator().manual_seed(seed)

    def drawn(size: int) -> Tensor:
        odds = 1 / torch.arange(1, size - EOS, dtype=torch.float64)
        return EOS + 1 + torch.multinomial(odds, sentences * length, True, generator=random).view(sentences, length)

    source, target = drawn(sources), drawn(targets)
    target[:, -1] = EOS
    inputs = torch.cat([torch.full((sentences, 1), BOS), target[:, :-1]], 1)
    return Batch(source, torch.full((sentences,), length), inputs, target, float(target.numel()))


def step_cost(step: TrainingStep, batch: Batch, where: Conditions, *, rounds: int, warmup: int) -> dict[str, Any]:
    """Median seconds of a step, also of the processor's, and megabytes: what stays between steps, and most beside."""
    model = step.model.to(where.device).train()
    batch, optimizer = batch.to(where.device), step.new_optimizer()
    seconds: list[tuple[float, float]] = []

    def take() -> None:
        step.take(batch, optimizer, step=1, spent=0.0, autocast=where.handling.train_step_context)

    for number in range(warmup + rounds):
        started = time.perf_counter(), time.process_time()
        take()
        if where.device.type == "cuda":
            torch.cuda.synchronize(where.device)
        if number >= warmup:
            seconds.append((time.perf_counter() - started[0], time.process_time() - started[1]))
    held = sum(weight.nbytes for weight in [*model.parameters(), *step.average.weights.values()])
    held += sum(
        part.nbytes for state in optimizer.state.values() for part in state.values() if isinstance(part, Tensor)
    )
    return {
        "parameters": parameter_count(model),
        "seconds_per_step": round(median(wall for wall, _ in seconds), 4),
        "processor_seconds_per_step": round(median(used for _, used in seconds), 4),
        "megabytes_held": round(held / 1e6, 1),
        "megabytes_at_peak": round((peak_bytes(take, held, where.device) - held) / 1e6, 1),
    }
