"""What a training is at, told to whoever watches it from outside: for kills at a chosen moment."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

PHASES = ("start", "step", "validation", "checkpoint", "closing")


def tell_phases(path: str) -> None:
    """Have this process write into a file what it is at, from now on: a fault that does no harm."""
    from pytorch_lightning.loops.evaluation_loop import _EvaluationLoop
    from pytorch_lightning.loops.training_epoch_loop import _TrainingEpochLoop

    from seq2seq.commands import train
    from seq2seq.training import checkpoints

    told = _Told(path)
    for place, name, phase in (
        (_TrainingEpochLoop, "advance", "step"),
        (_EvaluationLoop, "run", "validation"),
        (checkpoints, "write_whole", "checkpoint"),
        (train, "_finish", "closing"),
    ):
        setattr(place, name, told.during(phase, getattr(place, name)))


class Phase:
    """What the process that tells it into a file is at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begin()

    def begin(self) -> None:
        """Forget what a process before was at."""
        self.path.write_bytes(bytes([PHASES.index("start")]))

    @property
    def fault(self) -> Callable[[], None]:
        """Have a process tell."""
        return partial(tell_phases, str(self.path))

    @property
    def now(self) -> str:
        """The name of the phase."""
        return PHASES[self.path.read_bytes()[0]]

    def wait_for(self, name: str, seconds: float, alive: Callable[[], bool]) -> bool:
        """Wait until a phase is there, and tell whether it came."""
        until = time.monotonic() + seconds
        while self.now != name and time.monotonic() < until and alive():
            time.sleep(0.0005)
        return self.now == name


class _Told:
    def __init__(self, path: str) -> None:
        self.handle, self.now = os.open(path, os.O_WRONLY), PHASES.index("start")

    def _tell(self, number: int) -> None:
        self.now = number
        os.pwrite(self.handle, bytes([number]), 0)

    @contextmanager
    def _at(self, phase: str) -> Iterator[None]:
        before = self.now
        self._tell(PHASES.index(phase))
        try:
            yield
        finally:
            self._tell(before)

    def during(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, which tells that it runs."""

        def telling(*given: Any, **named: Any) -> Any:
            with self._at(phase):
                return function(*given, **named)

        return telling
