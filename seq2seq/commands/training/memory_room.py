"""Batches that memory has room for: of fewer tokens than follow from the data, where these would take too much."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from seq2seq.commands.building.batches import build_batches
from seq2seq.commands.building.module import build_module
from seq2seq.data.batch import PairSequences
from seq2seq.data.examples import Splits
from seq2seq.data.spreading import spread_over
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError
from seq2seq.models.blank import blank
from seq2seq.ranks import ranks
from seq2seq.runs.meeting import current_meeting
from seq2seq.runs.run import build_model, pick_device
from seq2seq.training.footprint import peak_bytes
from seq2seq.training.free_memory import free_bytes
from seq2seq.training.step import TrainingStep

logger = logging.getLogger(__name__)
WORD = "max_tokens"  # under which the first process tells the others
_SHARE = 0.5  # of free memory, that may be taken
_HELD = 5  # times the weights: themselves, two moments of the optimizer, the average, and one to spare
_PLENTY = 64  # bytes of a token for each row of a matrix of weights: several times what any model has needed
_LOOKED_AT = 1000  # examples, of which a batch is as large as any
_LEAST = 64  # tokens, of which there are a multiple


def tokens_that_fit(config: dict[str, Any], tokenizers: Tokenizers, splits: Splits) -> int | None:
    """The most tokens of a batch that half of the free memory has room for; None where those of the config are fewer.

    It is the first process's to find; the others have its number. Steps are only tried where memory is not ample.
    """
    meeting = current_meeting()
    if meeting is not None and meeting.own.rank:
        return int(meeting.hear(WORD))
    found = _fitting(config, tokenizers, splits)
    if meeting is not None:
        meeting.tell(WORD, str(found or config["batches"]["max_tokens"]).encode())
    return found


def _fitting(config: dict[str, Any], tokenizers: Tokenizers, splits: Splits) -> int | None:
    device, wanted = _device(config), config["batches"]["max_tokens"]
    free = free_bytes(device)
    if free is None:
        return None
    local, every = _processes(config, device)
    room = _SHARE * free / local
    if _plenty(config, tokenizers, wanted / every) <= room or (of_step := _needed(config, tokenizers, splits)) is None:
        return None
    fixed, of_token = of_step
    needed = fixed + of_token * wanted / every
    if needed <= room:
        return None
    fewer = int(max(0.0, room - fixed) * every / of_token) // _LEAST * _LEAST
    least = 2 * (config["batches"]["max_length"] + 1)  # a pair must fit
    found = min(max(fewer, least), wanted)
    logger.info(
        "memory: %s MB are free, and batches of %s tokens would need %s, more than half: batches.max_tokens=%d",
        *(f"{free / 1e6:,.0f}", f"{wanted:,}", f"{needed * local / 1e6:,.0f}", found),
    )
    return found


def _device(config: dict[str, Any]) -> torch.device:
    return pick_device("cpu" if config["trainer"].get("accelerator") == "cpu" else "auto")


def _processes(config: dict[str, Any], device: torch.device) -> tuple[int, int]:
    """The processes that share a memory, and those that share a batch."""
    own, devices = ranks(), config["trainer"].get("devices", 1)
    every = max(own.count, devices if type(devices) is int else 1)
    local = own.local_count if own.count > 1 else every
    return (1 if device.type == "cuda" else local), every


def _plenty(config: dict[str, Any], tokenizers: Tokenizers, tokens: float) -> float:
    """Bytes that are more than enough for a step, by the sizes of the weights alone."""
    with blank("meta"):
        weights = list(build_model(config, tokenizers).parameters())
    rows = sum(weight.shape[0] for weight in weights if weight.dim() > 1)
    return _HELD * sum(weight.nbytes for weight in weights) + _PLENTY * rows * tokens


def _needed(config: dict[str, Any], tokenizers: Tokenizers, splits: Splits) -> tuple[float, float] | None:
    """Bytes that a step needs whatever its batch, and those for each padded token, from two small batches.

    None where there is none of several pairs, or a mistake that is told later.
    """
    few = replace(splits, train=spread_over(splits.train, _LOOKED_AT), dev=spread_over(splits.dev, 20))
    with _unnoticed():
        try:
            data = build_batches(config, few, tokenizers)
            step = build_module(config, data).to(device := _device(config)).step
        except UserError:
            return None
        pairs, _ = data.train_epoch(0)
        longest = (pairs.source.lengths + pairs.target.lengths).argsort(descending=True, stable=True)
        tokens, _ = pairs.padded_size(longest[:1])
        batch = min(len(longest), config["batches"]["max_sentences"], config["batches"]["max_tokens"] // tokens)
        if batch < 2:
            return None
        sizes = [max(1, batch // 8), max(2, batch // 4)]
        needs = [_peak(step, pairs, longest[:size], device) for size in sizes]
    of_row = max(1.0, (needs[1] - needs[0]) / (sizes[1] - sizes[0]))
    held = _HELD * sum(weight.nbytes for weight in step.model.parameters())
    return held + max(0.0, needs[0] - of_row * sizes[0]), of_row / tokens


def _peak(step: TrainingStep, pairs: PairSequences, rows: torch.Tensor, device: torch.device) -> int:
    """The most bytes that a step on the given pairs holds at once, but for its weights."""
    batch = pairs.batch(rows, step_tokens=pairs.target_tokens(rows)).to(device)
    weights = [weight for weight in step.model.parameters() if weight.requires_grad]

    def run() -> None:
        torch.autograd.grad(step.loss(batch, step=0, spent=0.0), weights, allow_unused=True)

    return peak_bytes(run, 0, device)


@contextmanager
def _unnoticed() -> Iterator[None]:
    """Draw no random number of the run's, and say nothing, for as long as the context is open."""
    package, devices = logging.getLogger("seq2seq"), range(torch.cuda.device_count())
    level = package.level
    package.setLevel(logging.ERROR)
    try:
        with torch.random.fork_rng(devices=list(devices)):
            yield
    finally:
        package.setLevel(level)
