"""The speed of this machine: which of several ways is the fastest here, measured once and kept."""

import contextlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch

_ROUNDS = 5
_BUSY = 0.5  # running processes for each core, in the last minute
WORTH_ROUNDING = 1 / 0.9  # times as fast as float32, below which a narrower format is not taken
_INSTRUCTIONS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")  # what libraries may use
_SECONDS = 0.05  # at least, for the rounds of one way


def measured(question: str, ways: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds that each way takes: the shortest of several rounds, in turn, after one to warm up.

    They are kept for this processor, number of threads, set of instructions and version of torch, in `file()`, so that
    a run takes the same way again; where nothing can be kept they are measured once a process.
    """
    known, key = _known(), _key(question, ways)
    if key not in known:
        known[key] = _timed(ways)
        _keep(known)
    return {name: float(known[key][name]) for name in ways}


def speedup(question: str, ways: Mapping[str, Callable[[], object]]) -> float:
    """The times that the second of two ways is faster than the first, on one thread, which others disturb least."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        first, second = measured(question, ways).values()
    finally:
        torch.set_num_threads(threads)
    return first / second


def can_measure(question: str, ways: Iterable[str]) -> bool:
    """Tell whether `measured` has the answer, or can find one: others who use the processor would spoil it."""
    return _key(question, ways) in _known() or not is_busy()


def is_busy() -> bool:
    """Tell whether others use the processor, by the load of the last minute; False where the system keeps none."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] >= _BUSY * (os.cpu_count() or 1)


def _key(question: str, ways: Iterable[str]) -> str:
    return f"{question} | {' '.join(ways)} | {_conditions()}"


def file() -> Path:
    """Path of the file of measured speeds, which can be deleted at any time."""
    folder = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return Path(folder, "seq2seq", "speeds.json")


def _timed(ways: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    best = dict.fromkeys(ways, float("inf"))
    for number in range(1 + _ROUNDS):
        for name, run in ways.items():
            calls, started = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - started) < _SECONDS / _ROUNDS or not calls:
                run()
                calls += 1
            if number:
                best[name] = min(best[name], elapsed / calls)
    return best


def _conditions() -> str:
    instructions = torch.backends.cpu.get_cpu_capability(), *(os.environ.get(name, "") for name in _INSTRUCTIONS)
    return " ".join(map(str, (processor(), torch.get_num_threads(), *instructions, torch.__version__)))


@cache
def processor() -> str:
    """The name of the processor; Linux has it in a file alone."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@cache
def _known() -> dict[str, Any]:
    """Speeds that were kept; none where the file is missing or is not what was written."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(file().read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {key: value for key, value in found.items() if isinstance(value, dict)}
    return {}


def _keep(known: Mapping[str, Any]) -> None:
    path = file()
    with contextlib.suppress(OSError, RuntimeError):  # a home that cannot be written, or found
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_suffix(f".{os.getpid()}")  # another process may be writing, too
        whole.write_text(json.dumps(known, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        whole.replace(path)
