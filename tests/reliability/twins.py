"""A run that was cut, and its twin that nobody disturbed."""

import json
from pathlib import Path

from seq2seq.runs.checkpoint import read_checkpoint

COMPARED = ("weights", "state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch", "average_updates")


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
