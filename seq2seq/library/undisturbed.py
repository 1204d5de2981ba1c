"""A process that is left as it was found: seeds, threads, their hook, number formats, warnings, log, environment."""

import logging
import os
import random
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy
import torch

_SET_BY_TRAINING = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS", "PYTORCH_NVML_BASED_CUDA_CHECK", "TORCHINDUCTOR_CACHE_DIR")


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put back, at the end, all of the process's state that training sets."""
    environment = {name: os.environ.get(name) for name in _SET_BY_TRAINING}
    states = random.getstate(), numpy.random.get_state(), torch.get_num_threads(), torch.get_float32_matmul_precision()
    tf32, denormal = torch.backends.cudnn.allow_tf32, _has_denormals()
    lightning = logging.getLogger("pytorch_lightning")
    level, hook = lightning.level, threading.excepthook
    devices = range(torch.cuda.device_count())
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(states[0])
        numpy.random.set_state(states[1])
        torch.set_num_threads(states[2])
        torch.set_float32_matmul_precision(states[3])
        torch.backends.cudnn.allow_tf32 = tf32
        torch.set_flush_denormal(not denormal)
        lightning.setLevel(level)
        threading.excepthook = hook
        for name, value in environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Compute on so many CPU threads for as long as the context is open."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def told(verbose: bool) -> Iterator[None]:
    """Write the log to stderr where nobody has said what becomes of it; at False, of warnings alone."""
    log = logging.getLogger("seq2seq")
    level = log.level
    handler = None if log.hasHandlers() else logging.StreamHandler(sys.stderr)
    if handler is not None:
        log.addHandler(handler)
        log.setLevel(logging.INFO if verbose else logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(level)
        if handler is not None:
            log.removeHandler(handler)


def _has_denormals() -> bool:
    return bool(torch.tensor([1e-40]) * 1.0 != 0)
