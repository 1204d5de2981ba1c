"""Train for minutes with kills at random, and hold every run to the one that nobody disturbed, bit for bit.

python tests/reliability/soak.py MINUTES [SEED [FOLDER]] [--steps N] [--pause LEAST MOST] [--patience SECONDS]
Runs are killed as they start, take a step, validate, write a checkpoint and close. It fails where no kill came in one.
"""

import argparse
import collections
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from phases import PHASES, Phase
from processes import Ended, Started
from twins import differences

from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint

TINY = [
    "experiment=reverse",
    "data.train_size=200",
    "data.dev_size=12",
    "data.test_size=10",
    "data.alphabet_size=6",
    "data.max_length=6",
    "model.embedding_size=8",
    "model.encoder.hidden_size=8",
    "model.decoder.hidden_size=16",
    "model.decoder.feature_size=8",
    "model.dropout=0.2",
    "batches.max_tokens=300",
    "decoding.length.max_extra=3",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=5",
    "precision=32-true",
    "threads=1",
    "logger=csv",
]
# Kinds of runs, one a round.
KINDS: dict[str, list[str]] = {
    "plain": ["trainer.val_check_interval=25"],
    "sampled feeding, early stopping": [
        "trainer.val_check_interval=13",
        "scheduled_sampling=exponential",
        "scheduled_sampling.base=0.99",
        "scheduled_sampling.feed=sample",
        "callbacks=early_stopping",
        "callbacks.early_stopping.patience=100",
    ],
    "accumulation": ["trainer.val_check_interval=16", "trainer.accumulate_grad_batches=2"],
    "augmented, curriculum": [
        "trainer.val_check_interval=40",
        "augmentation=noise",
        "curriculum=competence",
        "curriculum.steps=40",
    ],
    "growing batches": ["trainer.val_check_interval=30", "batch_growth=doubling", "batch_growth.every=20"],
    "gru, plateau": ["trainer.val_check_interval=19", "model/cell=gru", "schedule=plateau"],
}
SIGNALS = ("KILL", "TERM", "INT", "STOP")
# The second where it comes before the script has begun to listen.
CODES = {"KILL": (-9,), "TERM": (143, -15), "INT": (130, -2)}


@dataclass
class Tally:
    """What was done and seen."""

    kills: collections.Counter[str] = field(default_factory=collections.Counter)
    phases: collections.Counter[str] = field(default_factory=collections.Counter)  # in which they came
    seconds: float = 0.0  # of training under kills
    rounds: int = 0
    resumes: int = 0
    anew: int = 0  # as there was no checkpoint yet
    checked: int = 0  # checkpoints that were read, whole, after a kill
    wrong: list[str] = field(default_factory=list)

    @property
    def missed(self) -> list[str]:
        """The phases in which no kill came."""
        return [phase for phase in PHASES if not self.phases[phase]]

    def __str__(self) -> str:
        kills, phases = (
            ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
            for counts in (self.kills, self.phases)
        )
        equal = self.rounds - bool(self.wrong)
        return (
            f"{equal} runs equal to their uninterrupted twins; {sum(self.kills.values())} kills in "
            f"{self.seconds / 60:.0f} minutes ({kills}; in {phases}); "
            f"{self.resumes} resumed, {self.anew} begun anew; {self.checked} checkpoints read, all whole"
            + (f"\nMISSED: {', '.join(self.missed)}" if self.missed else "")
            + "".join(f"\nWRONG: {text}" for text in self.wrong)
        )


@dataclass(frozen=True)
class Pace:
    """How long runs are, and how many seconds pass between two kills, at least and at most; more on a busy machine."""

    steps: int = 200
    least: float = 0.1
    most: float = 30.0
    patience: float = 60.0  # seconds within which a process begins, and ends that was told to


def soak(seconds: float, seed: int, folder: Path, pace: Pace | None = None) -> Tally:
    """Rounds of training, until the time is up or something is wrong; a run that is killed has its twin beside it.

    Where the time is up before a kill has come in each phase, it has twice as much again for that.
    """
    rng, tally, started = random.Random(seed), Tally(), time.monotonic()
    pace = pace or Pace()
    while time.monotonic() < started + (3 if tally.missed else 1) * seconds and not tally.wrong:
        name = list(KINDS)[tally.rounds % len(KINDS)]
        place = folder / f"round_{tally.rounds}"
        place.mkdir(parents=True)
        options = [*TINY, *KINDS[name], f"seed={rng.randrange(1000)}", f"budget.max_steps={pace.steps}"]
        twin = Started(["train", *options, "run_dir=whole"], place, place / "said_whole")
        began = time.monotonic()
        _Disturbed(options, place, rng, tally, pace).train()
        tally.seconds += time.monotonic() - began
        ended = twin.end(0.1 if tally.wrong else 3 * seconds + 900)
        if ended.code != 0 and not tally.wrong:
            tally.wrong.append(f"{name}: undisturbed, it ended with {ended.code}: {ended.err[-300:]}")
        elif not tally.wrong:
            tally.wrong += [f"{name}, {' '.join(options)}: {text}" for text in differences(place)[:3]]
        tally.rounds += 1
        print(f"{name}: {tally}", flush=True)
        if not tally.wrong:
            shutil.rmtree(place)
    return tally


class _Disturbed:
    """A run that is killed, again and again, until it has come to its end."""

    def __init__(self, options: list[str], place: Path, rng: random.Random, tally: Tally, pace: Pace) -> None:
        self.options, self.place, self.rng, self.tally, self.pace = options, place, rng, tally, pace
        self.phase = Phase(place / "phase")
        self.left = list(PHASES)  # in which no kill has come yet

    def train(self) -> None:
        """Train to the end, whatever comes."""
        words = ["train", *self.options, "run_dir=cut"]
        for start in range(1000):
            self.phase.begin()
            running = Started(words, self.place, self.place / f"said_{start}", fault=self.phase.fault)
            running.wait_for_begin(2 * self.pace.patience)
            ended = self._waited(running) or self._struck(running)
            if ended is not None and ended.code == 0:
                return
            if ended is not None:
                self.tally.wrong.append(f"start {start} ended with {ended.code}: {ended.err[-300:]}")
                return
            if (self.place / "cut" / "metrics.json").is_file():  # it had told of its scores
                return
            words = _next(self.place / "cut", self.options, self.tally)
            if not words:
                return

    def _waited(self, running: Started) -> Ended | None:
        """Wait for the moment of a kill, in a phase in which none has come yet if there is one.

        How the process ended, where it was faster.
        """
        left = [name for name in self.left if name != "closing"]
        aim = self.rng.choice([name for name in left if name in self.tally.missed] or left or PHASES[1:])
        if aim == "start":
            return running.wait(self.rng.uniform(0.05, 2.0))
        until = time.monotonic() + self.rng.uniform(self.pace.least, self.pace.most)
        while time.monotonic() < until and not self._closes_unkilled:
            if (ended := running.wait(0.01)) is not None:
                return ended
        if self.phase.now != "closing":
            self.phase.wait_for(aim, self.pace.patience, lambda: running.is_alive and self.phase.now != "closing")
        return running.wait(0.0)

    @property
    def _closes_unkilled(self) -> bool:
        """Whether it is about to end, and no kill has come there yet."""
        return "closing" in self.left and self.phase.now == "closing"

    def _struck(self, running: Started) -> Ended | None:
        """Send a signal at random. How the process ended where that is not as the signal says; None where it is."""
        name, phase = self.rng.choice(SIGNALS), self.phase.now
        running.send(getattr(signal, f"SIG{name}"))
        self.tally.phases[phase] += 1
        if phase in self.left:
            self.left.remove(phase)
        if name == "STOP":  # a machine that sleeps, and then wakes or is turned off
            time.sleep(self.rng.uniform(0.1, 2.0))
            name = self.rng.choice(("CONT", "KILL"))
            running.send(getattr(signal, f"SIG{name}"))
            self.tally.kills[f"STOP, {name}"] += 1
            if name == "CONT":
                if (ended := running.wait(self.rng.uniform(0.2, 3.0))) is not None:
                    return ended
                name = "KILL"
                running.send(signal.SIGKILL)
        else:
            self.tally.kills[name] += 1
        ended = running.end(self.pace.patience)
        return None if ended.code in CODES[name] and (ended.code < 0 or not ended.lines) else ended


def _next(folder: Path, options: list[str], tally: Tally) -> list[str]:
    """The words that go on with a run. Every checkpoint that is there has to be whole."""
    checkpoints = [path for path in (folder / "checkpoints").glob("*.ckpt") if not path.name.startswith(".")]
    for path in checkpoints:
        try:
            read_checkpoint(path, whole=True)
        except UserError as error:
            tally.wrong.append(str(error))
            return []
        tally.checked += 1
    if not checkpoints:
        shutil.rmtree(folder, ignore_errors=True)
        tally.anew += 1
        return ["train", *options, "run_dir=cut"]
    tally.resumes += 1
    return ["train", "run_dir=cut", "resume=true"]


def main(given: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--steps", type=int, default=Pace.steps, help="of each run")
    parser.add_argument("--pause", type=float, nargs=2, default=(Pace.least, Pace.most), help="seconds between kills")
    parser.add_argument("--patience", type=float, default=Pace.patience, help="seconds for a process to end")
    options = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as own:
        folder = (options.folder or Path(own)).absolute()
        result = soak(60 * options.minutes, options.seed, folder, Pace(options.steps, *options.pause, options.patience))
    print(result)
    return 1 if result.wrong or result.missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
