"""A guard of one process of a run: a process beside it that ends it with the others, whatever became of these.

It is a process of its own, which imports no torch, so that it is there whatever its process computes. It hears from it
through stdin and speaks to it through stdout, one JSON object a line; the guard of the first process is the one that
all others tell. A process that is killed is known by the end of its stdin, one that is stopped by its state.
"""

import json
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from seq2seq.runs.process_state import ends_by_memory, kill, state_of
from seq2seq.runs.wire import WireEnd, listening

TICK = 0.5  # seconds
BEAT = 1.0
SILENT = 15.0  # seconds without a word from a machine
STOPPED = 8.0  # seconds in which a process was never seen to run
PATIENCE = 5.0  # for a process to end itself
COMMON = 1.5  # for the first process to make the same mistake, whose words are then its own
QUIET = 25.0  # for all to stop by the same signal, which the first one does behind its checkpoint
RUN = 3  # exit code


class Guard:
    """The guard of a process; that of the first one knows all others' by their connections."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.rank, self.count, self.host = options["rank"], options["count"], options["host"]
        self.machine, self.pid, self.first = options["machine"], options["pid"], options["local_rank"] == 0
        self.wait = options["wait"]
        self.watched = selectors.DefaultSelector()
        self.own, self.above = WireEnd(0), None
        self.others: list[WireEnd] = []
        self.listener: socket.socket | None = None
        self.children: dict[int, int] = {}  # pids of ranks that the first process starts
        self.words: dict[str, str] = {}  # of the first process: its folder and how to go on
        self.end: dict[str, Any] | None = None  # what has ended the run, and when it is told
        self.gone = self.done = self.told = False  # of the own process: has ended, is through, has said why it ends
        self.memory, self.started, self.ran, self.beat = ends_by_memory(), time.monotonic(), time.monotonic(), 0.0
        self.watched.register(0, selectors.EVENT_READ, self.own)
        self.me = {name: options[name] for name in ("rank", "host", "machine", "pid")} | {"guard": os.getpid()}
        if self.rank == 0:
            self._listen(options["address"])
        else:
            self.above = self._connected(options["address"], options["port"])

    def _listen(self, address: str) -> None:
        self.listener = listening(address)
        self.watched.register(self.listener, selectors.EVENT_READ, None)
        self.tell(port=self.listener.getsockname()[1])

    def _connected(self, address: str, port: int) -> WireEnd:
        link = socket.create_connection((address, port), timeout=30)
        wire = WireEnd(link.fileno(), link)
        wire.write(hello=self.me)
        self.watched.register(link, selectors.EVENT_READ, wire)
        self.tell(port=port)
        return wire

    def tell(self, **message: Any) -> None:
        """Speak to the own process."""
        with suppress(OSError):
            os.write(1, (json.dumps(message, allow_nan=False) + "\n").encode())

    def run(self) -> None:
        """Watch until the run or the own process has ended."""
        while True:
            for key, _ in self.watched.select(TICK):
                self._welcome() if key.data is None else self._take(key.data)
            now = time.monotonic()
            self._look_at_own(now)
            if self.above is not None and now - self.beat >= BEAT:
                self.beat = now
                self.above.write(beat=1)
            if self.rank == 0:
                self._look_at_others(now)
            if self.end is not None and now >= self.end["at"]:
                return self._finish()
            if self._may_leave():
                for wire in self.others:
                    wire.write(bye=1)
                return None

    def _welcome(self) -> None:
        assert self.listener is not None
        link, _ = self.listener.accept()
        wire = WireEnd(link.fileno(), link)
        self.others.append(wire)
        self.watched.register(link, selectors.EVENT_READ, wire)

    def _take(self, wire: WireEnd) -> None:
        messages, alive = wire.read()
        for message in messages:
            if wire is self.own:
                self._hear_own(message)
            elif wire is self.above:
                self._hear_above(message)
            else:
                self._hear_other(wire, message)
        if alive:
            return
        self.watched.unregister(wire.handle if wire.link is None else wire.link)
        if wire is self.own:
            self._own_is_gone()
        elif wire is self.above:
            self._lost_first()
        else:
            self.others.remove(wire)
            if wire.member and not wire.member.get("done"):
                self._note(wire.member, "has been lost, with its guard", RUN)

    def _own_is_gone(self) -> None:
        if not self.gone and not self.done and not self.told:
            memory = ends_by_memory() > self.memory
            more = " (meanwhile the system has ended a process for want of memory)" if memory else ""
            self._report(self.me, cause=f"was killed{more}", code=RUN)
        self.gone = True

    def _hear_own(self, message: dict[str, Any]) -> None:
        if "done" in message:
            self.done = True
            if self.above is not None:
                self.above.write(done=1)
        self.children |= {int(rank): pid for rank, pid in message.get("children", {}).items()}
        self.words |= message.pop("words", {})
        if "cause" in message:
            self.told = True
            self._report(self.me, **message)

    def _hear_above(self, message: dict[str, Any]) -> None:
        if "stop" in message:
            self.end = {"code": message["stop"], "at": 0.0}
        if "bye" in message:  # the first process is through with training, and so are all
            self.done = True

    def _hear_other(self, wire: WireEnd, message: dict[str, Any]) -> None:
        wire.member |= message.get("hello", {})
        if "done" in message or "cause" in message:
            wire.member["done"] = True
        if "cause" in message:
            self._note(wire.member, **message)

    def _report(self, member: dict[str, Any], cause: str, code: int, plain: bool = False) -> None:
        if self.above is not None:
            self.above.write(cause=cause, code=code, plain=plain)
            self.end = self.end or {"code": code, "at": time.monotonic() + QUIET + PATIENCE}  # the first will say
        else:
            self._note(member, cause, code, plain)

    def _note(self, member: dict[str, Any], cause: str, code: int, plain: bool = False) -> None:
        """Keep what ends the run, unless something has; of a mistake that all make, the words of the first process."""
        own = member.get("rank") == 0
        if (self.end is not None and not (own and plain and self.end.get("plain"))) or self.done:
            return
        delay = QUIET if code >= 128 else COMMON if plain and not own else 0.0
        joint = ": " if plain else " "
        place = "" if own and plain else f"rank {member.get('rank')} on {member.get('host')}{joint}"
        self.end = {"code": code, "at": time.monotonic() + delay, "line": f"{place}{cause}", "plain": plain}

    def _look_at_own(self, now: float) -> None:
        state = "" if self.gone else state_of(self.pid)
        if state in ("", "Z"):  # children of its own may hold its end of the pipe
            if any(key.data is self.own for key, _ in self.watched.select(0)):  # what it has said meanwhile
                self._take(self.own)
            self._own_is_gone()
        elif state != "T":
            self.ran = now
        elif now - self.ran > STOPPED:
            self._report(self.me, "was stopped by a signal (SIGSTOP, SIGTSTP)", RUN)
            self.ran = now + 3600

    def _look_at_others(self, now: float) -> None:
        asleep, self.beat = now - self.beat > BEAT + SILENT / 3, now  # when this guard was not running itself
        for wire in self.others:
            wire.heard = now if asleep else wire.heard
            if now - wire.heard > SILENT and not wire.member.get("done"):
                self._note(wire.member, f"has not been heard of for {SILENT:.0f} seconds", RUN)
        known = {wire.member.get("rank") for wire in self.others}
        for rank, pid in self.children.items():
            if rank not in known and state_of(pid) in ("", "Z") and not self.done:
                self._note({"rank": rank, "host": self.host}, "has ended before it began", RUN)
        if now - self.started > self.wait and len(known) < self.count - 1 and not self.done:
            missing = min(set(range(1, self.count)) - known)
            self._note({"rank": missing, "host": "?"}, f"has not come within {self.wait} seconds", RUN)

    def _lost_first(self) -> None:
        if not self.done and self.end is None:
            if self.first:
                self._say(f"rank 0 has been lost, as is known on {self.host}")
            self.end = {"code": RUN, "at": 0.0}

    def _say(self, line: str) -> None:
        kept = ""
        if (folder := self.words.get("folder")) and not (self.end or {}).get("plain"):
            there = any(Path(folder, "checkpoints").glob("*.ckpt"))
            kept = f"; continue with {self.words['go_on']}" if there else "; no checkpoint was due yet"
        with suppress(OSError):
            print(f"error: {line}{kept}", file=sys.stderr, flush=True)

    def _finish(self) -> None:
        """End all processes, the own one last."""
        assert self.end is not None
        code = self.end["code"]
        if "line" in self.end and code < 128:
            self._say(self.end["line"])
        for wire in self.others:
            wire.write(stop=code)
        deadline = time.monotonic() + PATIENCE + 2
        while self.others and time.monotonic() < deadline:
            for key, _ in self.watched.select(TICK):
                if key.data is not None and key.data is not self.own:
                    self._take(key.data)
        for wire in self.others:  # silent: with its guard, if that is here
            if wire.member.get("machine") == self.machine:
                kill(wire.member["pid"])
                kill(wire.member["guard"])
        for pid in self.children.values():
            kill(pid)
        self._end_own(code)

    def _end_own(self, code: int) -> None:
        self.tell(stop=code)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not self.gone:
            if state_of(self.pid) in ("", "Z"):
                return
            time.sleep(0.05)
        if not self.gone:
            kill(self.pid)

    def _may_leave(self) -> bool:
        """Tell whether nobody needs this guard any more."""
        stopped = self.end is not None and self.end["code"] >= 128 and not self.others
        return self.gone and (self.done or stopped)


def main() -> None:
    """Guard the process that the first argument describes."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # its process decides
    Guard(json.loads(sys.argv[1])).run()
