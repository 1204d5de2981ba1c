"""A process of several that train a run, with a guard beside it: they end together."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

import seq2seq
from seq2seq.config.mistakes import find, one_line
from seq2seq.errors import UserError, printable
from seq2seq.ranks import Ranks
from seq2seq.runs.guard import PATIENCE, QUIET, RUN
from seq2seq.training.out_of_memory import MemoryShortError

_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from seq2seq.runs.guard import main; main()"
_CONSEQUENCE = 20.0  # seconds in which the guards learn who has ended, and why
_LINKS = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer")  # in what torch says of lost ones


class Guarded:
    """Watches this process by a guard; `at_stop` is called before it ends because another has ended.

    The guard of the first process has a `port`, which the guards of the others have to be given.
    """

    def __init__(self, own: Ranks, address: str, port: int, *, wait: int, at_stop: Callable[[], None]) -> None:
        self.at_stop = at_stop
        self.through = False  # with training, so that it need not end with the others
        options = {
            **{"rank": own.rank, "count": own.count, "local_rank": own.local_rank, "pid": os.getpid()},
            **{"host": socket.gethostname(), "machine": _machine(), "address": address, "port": port, "wait": wait},
        }
        command = [
            sys.executable,
            "-I",
            "-c",
            _START,
            str(Path(seq2seq.__file__).parents[1]),
            json.dumps(options, allow_nan=False),
        ]
        self._guard = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._guard.stdout is not None
        first = self._guard.stdout.readline()
        if not first:
            raise UserError(
                f"The first process does not answer at {address}, port {port}: let machines reach each other."
            )
        self.port = int(json.loads(first)["port"])
        threading.Thread(target=self._listen, name="guarded", daemon=True).start()

    def tell(self, **message: Any) -> None:
        """Tell the guard something."""
        assert self._guard.stdin is not None
        with suppress(OSError):
            self._guard.stdin.write((json.dumps(message, allow_nan=False) + "\n").encode())
            self._guard.stdin.flush()

    def done(self) -> None:
        """Part from the other processes, which are through, too."""
        self.through = True
        self.tell(done=1)

    def fail(self, error: BaseException, folder: Path | None) -> None:
        """Tell why this process cannot go on, and wait to be ended with the others.

        It goes its own way where a signal has stopped it, which all of them have got.
        """
        if self.through:
            return
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            code = error.code if isinstance(error, SystemExit) else 130
            self.tell(cause="was stopped", code=code if isinstance(code, int) and code >= 128 else RUN)
            self.through = True
            return
        if is_consequence(error):
            time.sleep(_CONSEQUENCE)
        self.tell(**told(error, folder))
        time.sleep(QUIET + 2 * PATIENCE)

    def _listen(self) -> None:
        assert self._guard.stdout is not None
        code = RUN
        for line in self._guard.stdout:
            code = json.loads(line).get("stop", code)
            break
        if self.through:
            return
        with suppress(Exception):
            self.at_stop()
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def told(error: BaseException, folder: Path | None) -> dict[str, Any]:
    """The message to a guard of an error: a user's mistake in its own words, else what was raised, in one line."""
    mistake = find(error, UserError)
    if isinstance(mistake, MemoryShortError):  # of this process, which the line is to name
        return {"cause": printable(f"ran out of memory: {one_line(error)}"), "code": mistake.exit_code}
    if mistake is not None or isinstance(error, OSError):
        return {"cause": printable(one_line(error)), "code": getattr(mistake, "exit_code", 2), "plain": True}
    first = next(iter(str(error).strip().splitlines()), "")
    said = f"{type(error).__name__}: {first}" if first else type(error).__name__
    memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in first
    place = ""
    if folder is not None and folder.is_dir():
        path = folder / f"traceback_{socket.gethostname()}_{os.getpid()}.txt"
        with suppress(OSError):
            path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
            place = f" (traceback in {path})"
    return {"cause": printable(f"{'ran out of memory' if memory else 'failed'}, {said}{place}"), "code": RUN}


def is_consequence(error: BaseException | None) -> bool:
    """Tell whether an error is of a connection to another process, which has an end of its own to tell of."""
    while error is not None:
        lost = isinstance(error, torch.distributed.DistError | ConnectionError)
        if lost or (type(error) is RuntimeError and any(word in str(error) for word in _LINKS)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _machine() -> str:
    """A name of the machine that two containers of it do not share, as they do not know each other's processes."""
    with suppress(OSError):
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    return socket.gethostname()
