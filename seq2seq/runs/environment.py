"""The environment of a run: what its numbers depend on beside its config and data."""

import platform
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import seq2seq
from seq2seq.machine import processor

_PACKAGES = ("torch", "pytorch-lightning", "sentencepiece", "numpy", "hydra-core", "torchmetrics")
_PACKAGE = Path(seq2seq.__file__).parent


def environment() -> dict[str, Any]:
    """Versions, processor and threads of this process, and the commit of the package where it is a clone."""
    return {
        "seq2seq": seq2seq.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "processor": processor(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Differences between two environments, in words."""
    for name in sorted(then.keys() | now.keys()):
        before, after = then.get(name), now.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from differences(before, after)
        elif before != after:
            yield f"{name} {before} then, {after} now"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit that the package is at, marked where files differ from it; None where it is no clone."""
    line = ["git", "-C", str(_PACKAGE), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        inside = (_PACKAGE.parent / ".git").exists()
        found = subprocess.run(line, capture_output=True, text=True, timeout=10, check=True) if inside else None
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() if found else None
