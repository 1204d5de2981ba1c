"""Put random faults into random commands at random moments, for minutes; the seed makes them again.

python tests/reliability/random_faults.py MINUTES [SEED [FOLDER [SECONDS]]]; prints those that went wrong, and a sum.
A command has to end by itself, with code 0, 2 or 3 or that of its signal, in one line, and leave nothing half written.
"""

import collections
import errno
import itertools
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import faulty_disk
from processes import Ended, Fault, Started
from soak import TINY
from wholeness import check_whole

SECONDS = 30.0  # within which a command ends that a signal has met, on a quiet machine; others have twice that
_RUN = [*TINY, "data.train_size=60", "trainer.val_check_interval=3", "budget.max_steps=12", "callbacks.samples=null"]
COMMANDS: dict[str, list[str]] = {
    "train": ["train", *_RUN, "run_dir=new"],
    "train, event files": ["train", *_RUN, "run_dir=new", "logger=tensorboard"],
    "resume": ["train", "run_dir=run", "resume=true", "budget.max_steps=16"],
    "translate": ["translate", "run=run"],
    "evaluate": ["evaluate", "run=run"],
    "score": ["score", "run=run"],
    "average": ["average", "run=[run/checkpoints/best.ckpt,run/checkpoints/last.ckpt]", "out=mean"],
    "prune": ["prune", "run=run", "out=pruned", "method=magnitude"],
    "compress": ["compress", "run=run", "out=small", "to=int8"],
    "export": ["export", "run=run", "to=page", "out=page.html", "sentences=4"],
    "probe": ["probe", "run=run", "out=units", "formats=[svg]"],
    "gradients": ["gradients", "run=run", "out=flow", "limit=4", "formats=[svg]"],
    "health": ["health", "run=run", "out=signs", "formats=[svg]"],
    "interpret": ["interpret", "run=run", "out=report", "text=a b", "formats=[svg]"],
    "horizon": ["horizon", "cells=[lstm]", "lengths=[2]", "seeds=1", "steps=20", "formats=[svg]", "out=lengths"],
    "adapt": ["adapt", "run=run", "in=pairs.tsv", "every=2", "score=loss", "bootstrap=100", "hold_out=0.4"],
}
# What has to be in a folder that a command makes, if that is there.
MADE = {
    **dict.fromkeys(("mean", "pruned", "small"), {"checkpoints", "config.yaml", "metrics.json", "tokenizers"}),
    "units": {"units.json", "units.html"},
    "flow": {"gradients.json", "gradients.svg"},
    "signs": {"health.json", "vital_signs.svg"},
    "report": {"report.html", "attention.svg"},
    "lengths": {"horizon.json", "horizon.svg"},
}
_broken: list[Any] = []
SIGNALS = ("KILL", "TERM", "INT")
ERRORS = (errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT, errno.EFBIG)
CODES = {"KILL": (-9,), "TERM": (143, -15), "INT": (130, -2)}


@dataclass
class Tally:
    """Faults by kind and by how they ended, and what went wrong."""

    ends: collections.Counter[str] = field(default_factory=collections.Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        faults = collections.Counter(key.split(":")[0] for key in self.ends.elements())
        ends = ", ".join(f"{name} {number}" for name, number in sorted(self.ends.items()))
        return f"{sum(faults.values())} faults, {len(self.wrong)} of them ended wrong\n{ends}" + "".join(
            f"\nWRONG: {text}" for text in self.wrong
        )


@dataclass(frozen=True)
class _End:
    """A fault, how the command ended that it met, and the codes that it may end with."""

    fault: str
    ended: Ended
    codes: tuple[int, ...] = (0, 2, 3)

    @property
    def killed(self) -> bool:
        """Whether it could not clear up."""
        return self.ended.code in (-9, None)


def break_disk(place: str, first: int, number: int) -> None:
    """Have the writes of this process below a folder fail, from one on, as long as it lives."""
    _broken.append(faulty_disk.failing(Path(place), first, number))  # one that nobody holds would end at once
    _broken[-1].__enter__()


def jump_back(seconds: float, after: float) -> None:
    """Set this process's clock of the day back after a while."""
    now, began = time.time, time.time()
    time.time = lambda: now() - (seconds if now() - began > after else 0.0)


def nothing() -> None:
    """Put in no fault."""


class Trials:
    """Faults, one after the other, each upon a copy of a run."""

    def __init__(self, seed: int, folder: Path, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.rng, self.folder, self.tally, self.number = random.Random(seed), folder, Tally(), 0
        first = Started(["train", *_RUN, "run_dir=run"], folder, folder / "said").end(20 * seconds)
        assert first.code == 0, first.err
        self.lines = "".join(f"{'a b c d'[: self.rng.randrange(1, 8)]}\n" for _ in range(200))

    def run(self, seconds: float) -> Tally:
        """Try faults until the time is up."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.number += 1
            place = self.folder / f"trial_{self.number}"
            shutil.copytree(self.folder / "run", place / "run")
            (place / "lines.txt").write_text(self.lines, encoding="utf-8")
            pairs = "".join(f"{a} {b} {c}\t{c} {b} {a}\n" for a, b, c in itertools.product("abcdef", repeat=3))
            for file in ("pairs.txt", "pairs.tsv"):
                (place / file).write_text(pairs, encoding="utf-8")
            kind = self.rng.choice([self._disk, self._disk, self._signal, self._bits, self._stream, self._clock])
            name = self.rng.choice(list(COMMANDS))
            end = kind(place, name)
            found = [self._told(end), *_left(place, killed=end.killed), *_damaged(place)]
            self.tally.wrong += [f"trial {self.number}: {name}: {text}" for text in found if text]
            shutil.rmtree(place)
        return self.tally

    def _start(self, place: Path, name: str, fault: Fault = nothing, **streams: str) -> Started:
        lines = place / ("pairs.txt" if name == "score" else "lines.txt")
        return Started(COMMANDS[name], place, place / "said", stdin=str(lines), fault=fault, **streams)

    def _told(self, end: _End) -> str:
        """What is wrong with an end; nothing where all is right."""
        ended = end.ended
        self.tally.ends[f"{end.fault}: {ended.code}"] += 1
        if ended.code not in end.codes or len(ended.lines) > 1 or "Traceback" in ended.err:
            return f"{end.fault}: code {ended.code} after {ended.seconds:.0f} s: {ended.err[-600:]}"
        return ""

    def _disk(self, place: Path, name: str) -> _End:
        number = self.rng.choice(ERRORS)
        fault = partial(break_disk, str(place), self.rng.randrange(0, 40), number)
        return _End(f"disk {errno.errorcode[number]}", self._start(place, name, fault).end(2 * self.seconds))

    def _signal(self, place: Path, name: str) -> _End:
        running, chosen = self._start(place, name), self.rng.choice(SIGNALS)
        running.wait_for_begin()
        if (ended := running.wait(self.rng.uniform(0.05, 6.0))) is None:
            running.send(getattr(signal, f"SIG{chosen}"))
            ended = running.end(self.seconds)
        return _End(f"signal {chosen}", ended, (0, *CODES[chosen]))

    def _bits(self, place: Path, name: str) -> _End:
        files = sorted(path for path in (place / "run").rglob("*") if path.is_file())
        path, data = (chosen := self.rng.choice(files)), bytearray(chosen.read_bytes())
        place_of = self.rng.randrange(len(data))
        if self.rng.random() < 0.3:
            del data[place_of:]
        else:
            data[place_of] ^= 1 << self.rng.randrange(8)
        path.write_bytes(data)
        ended = self._start(place, name).end(2 * self.seconds)
        path.unlink(missing_ok=True)  # it was not ours to keep whole
        return _End(f"damaged {path.name}", ended)

    def _stream(self, place: Path, name: str) -> _End:
        which = self.rng.choice(["stdout", "stderr"])
        return _End(f"full {which}", self._start(place, name, **{which: "/dev/full"}).end(2 * self.seconds))

    def _clock(self, place: Path, name: str) -> _End:
        fault = partial(jump_back, self.rng.choice([5.0, 3600.0, 1e9]), self.rng.uniform(0.0, 4.0))
        return _End("clock", self._start(place, name, fault).end(2 * self.seconds), (0,))


def _left(place: Path, *, killed: bool) -> list[str]:
    """The parts of files and folders that lie about: a process that was killed may leave them, none else."""
    found = [*place.rglob(".*.part"), *place.rglob(".*.half")]
    for part in found:
        shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)  # may be in one of them
    return [] if killed else [f"{part.relative_to(place)} lies about" for part in found]


def _damaged(place: Path) -> list[str]:
    """What a fault has left half written."""
    there = {name: {path.name for path in (place / name).iterdir()} for name in MADE if (place / name).is_dir()}
    found = [f"{name} lacks {MADE[name] - known}" for name, known in there.items() if MADE[name] - known]
    if (page := place / "page.html").is_file() and not page.read_bytes().rstrip().endswith(b"</html>"):
        found.append("page.html is cut")
    for folder in ("run", "new", *MADE):
        try:
            check_whole(place / folder)
        except Exception as error:  # of whatever kind
            found.append(f"{folder} is damaged: {type(error).__name__}: {error}"[:400])
    return found


def main(given: list[str]) -> int:
    with tempfile.TemporaryDirectory() as own:
        seed = int(given[1]) if len(given) > 1 else 1
        folder = Path(given[2] if len(given) > 2 else own).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        seconds = float(given[3]) if len(given) > 3 else SECONDS
        tally = Trials(seed, folder, seconds).run(60 * float(given[0]))
    print(tally)
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
