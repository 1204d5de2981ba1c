"""Arrays in, forecasts with intervals and classes out.    python examples/time_series.py"""

from typing import Any

import numpy as np

import seq2seq

random = np.random.default_rng(1)


def swing(frames: int, fast: bool) -> np.ndarray:
    """A swing around 20 from anywhere, with some noise."""
    angle = random.uniform(0, 2 * np.pi) + (0.9 if fast else 0.45) * np.arange(frames)
    return 20 + 5 * np.sin(angle) + 0.3 * random.normal(size=frames)


small = {
    "embedding_size": 32,
    "encoder": {"hidden_size": 32},
    "decoder": {"hidden_size": 64, "feature_size": 32},
}
brief: dict[str, Any] = {
    "model": small,
    "budget": {"max_steps": 250},
    "optimizer__lr": 0.005,
    "precision": "32-true",
    "logger": "none",
}

# A forecast: windows of 24 frames, and the 8 that follow each.
long = [swing(200, fast=False) for _ in range(40)]
pairs = [pair for one in long for pair in seq2seq.windows(one, past=24, future=8, step=8)]
run = seq2seq.train(pairs[:-100], test=pairs[-100:], **brief)
print(run.evaluate(split="test").scores)
past, truth = pairs[-1]
ahead = run.forecast(past)
low, high = ahead.interval(0.9)
print(np.concatenate([truth, ahead.means, low, high], 1).round(1))
ahead.figure(past, truth).savefig("forecast.png")

# Classes: which kind of swing it is.
labelled = [(swing(24, fast=bool(number % 2)), ["slow", "fast"][number % 2]) for number in range(400)]
run = seq2seq.train(labelled[:-50], test=labelled[-50:], **brief | {"budget": {"max_steps": 100}})
print(run.evaluate(split="test").scores)
print(run.translate([swing(24, fast=True), swing(24, fast=False)]))
