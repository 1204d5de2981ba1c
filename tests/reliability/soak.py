"""Train for minutes with kills at random, and hold every run to the one that nobody disturbed, bit for bit.

python tests/reliability/soak.py MINUTES [SEED [FOLDER]]; a line for each round, and a sum at the end.
"""

import collections
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from processes import Ended, Started

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
    "gru, plateau": ["trainer.val_check_interval=19", "model/cell=gru", "schedule=plateau"],
}
COMPARED = ("weights", "state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch", "average_updates")
SIGNALS = ("KILL", "TERM", "INT", "STOP")
# The second where it comes before the script has begun to listen.
CODES = {"KILL": (-9,), "TERM": (143, -15), "INT": (130, -2)}


@dataclass
class Tally:
    """What was done and seen."""

    kills: collections.Counter[str] = field(default_factory=collections.Counter)
    rounds: int = 0
    resumes: int = 0
    anew: int = 0  # as there was no checkpoint yet
    checked: int = 0  # checkpoints that were read, whole, after a kill
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kills = ", ".join(f"{name} {number}" for name, number in sorted(self.kills.items()))
        equal = self.rounds - bool(self.wrong)
        return (
            f"{equal} runs equal to their uninterrupted twins; {sum(self.kills.values())} kills ({kills}); "
            f"{self.resumes} resumed, {self.anew} begun anew; {self.checked} checkpoints read, all whole"
            + "".join(f"\nWRONG: {text}" for text in self.wrong)
        )


def soak(seconds: float, seed: int, folder: Path, *, steps: int = 200, kill_within: float = 30.0) -> Tally:
    """Rounds of training, until the time is up or something is wrong."""
    rng, tally, until = random.Random(seed), Tally(), time.monotonic() + seconds
    while time.monotonic() < until and not tally.wrong:
        name = list(KINDS)[tally.rounds % len(KINDS)]
        place = folder / f"round_{tally.rounds}"
        place.mkdir(parents=True)
        options = [*TINY, *KINDS[name], f"seed={rng.randrange(1000)}", f"budget.max_steps={steps}"]
        ended = Started(["train", *options, "run_dir=whole"], place, place / "said_whole").end(900)
        _disturbed(options, place, rng, tally, kill_within)
        if ended.code != 0:
            tally.wrong.append(f"{name}: undisturbed, it ended with {ended.code}: {ended.err[-300:]}")
        elif not tally.wrong:
            tally.wrong += [f"{name}, {' '.join(options)}: {text}" for text in differences(place)[:3]]
        tally.rounds += 1
        print(f"{name}: {tally}", flush=True)
        if not tally.wrong:
            shutil.rmtree(place)
    return tally


def _disturbed(options: list[str], place: Path, rng: random.Random, tally: Tally, within: float) -> None:
    """Train to the end, whatever comes."""
    words = ["train", *options, "run_dir=cut"]
    for start in range(1000):
        running = Started(words, place, place / f"said_{start}")
        running.wait_for_begin()
        moment = rng.uniform(0.1, within)
        ended = running.wait(moment) or _struck(running, rng, tally)
        if ended is not None and ended.code == 0:
            return
        if ended is not None:
            tally.wrong.append(f"start {start} ended with {ended.code}: {ended.err[-300:]}")
            return
        words = _next(place / "cut", options, tally)
        if not words:
            return


def _struck(running: Started, rng: random.Random, tally: Tally) -> Ended | None:
    """Send a signal at random. How the process ended where that is not as the signal says; None where it is."""
    name = rng.choice(SIGNALS)
    running.send(getattr(signal, f"SIG{name}"))
    if name == "STOP":  # a machine that sleeps, and then wakes or is turned off
        time.sleep(rng.uniform(0.1, 2.0))
        name = rng.choice(("CONT", "KILL"))
        running.send(getattr(signal, f"SIG{name}"))
        tally.kills[f"STOP, {name}"] += 1
        if name == "CONT":
            if (ended := running.wait(rng.uniform(0.2, 3.0))) is not None:
                return ended
            name = "KILL"
            running.send(signal.SIGKILL)
    else:
        tally.kills[name] += 1
    ended = running.end(30)
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


def differences(place: Path) -> list[str]:
    """In what a run that was cut differs from its twin: weights, optimizer, counters, scores."""
    found: list[str] = []
    for name in ("last", "best"):
        whole, cut = (read_checkpoint(place / run / "checkpoints" / f"{name}.ckpt") for run in ("whole", "cut"))
        known = [[contents.get("digests", {}), contents] for contents in (whole, cut)]
        keys = {key for digests, _ in known for key in digests if key.startswith(COMPARED)}
        found += [f"{name}: {key}" for key in sorted(keys) if known[0][0].get(key) != known[1][0].get(key)]
        found += [f"{name}: {key}" for key in ("global_step", "epoch") if known[0][1].get(key) != known[1][1].get(key)]
    scores = [json.loads((place / run / "metrics.json").read_text())["scores"] for run in ("whole", "cut")]
    return found + (["metrics.json"] if scores[0] != scores[1] else [])


if __name__ == "__main__":
    given = sys.argv[1:]
    with tempfile.TemporaryDirectory() as own:
        seed = int(given[1]) if len(given) > 1 else 1
        kept = Path(given[2]) if len(given) > 2 else Path(own)
        result = soak(60 * float(given[0]), seed, kept.absolute())
    sys.exit(f"{result}" if result.wrong else 0)
