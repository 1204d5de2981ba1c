"""A training config to its speed on this machine."""

from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from seq2seq.assembly.contract import check, resolve
from seq2seq.assembly.run import pick_device
from seq2seq.assembly.training import build_module
from seq2seq.errors import UserError
from seq2seq.training.benchmark import benchmark
from seq2seq.training.precision import resolve_precision


def benchmark_config(config: DictConfig) -> dict[str, Any]:
    """Learn tokenizers, build the model and train it for a few timed steps; nothing is written."""
    plain = resolve(config)
    check(plain)
    for name, least in (("steps", 1), ("warmup", 0)):
        if not isinstance(plain[name], int) or plain[name] < least:
            raise UserError(f"{name} must be a whole number of at least {least}, but is {plain[name]!r}.")
    torch.set_flush_denormal(True)
    torch.manual_seed(plain["seed"])
    accelerator = plain["trainer"]["accelerator"]
    splits = instantiate(plain["data"]).load()
    tokenizers = instantiate(plain["tokenizer"]).train(splits.train)
    data = instantiate(plain["batches"])(splits=splits, tokenizers=tokenizers)
    return benchmark(
        build_module(plain, data),
        data,
        precision=resolve_precision(plain["precision"], accelerator),
        device=pick_device({"gpu": "cuda"}.get(accelerator, accelerator)),
        steps=plain["steps"],
        warmup=plain["warmup"],
        gradient_clip_val=plain["trainer"]["gradient_clip_val"],
    )
