"""Arrays in, a label for each of their frames out.    python examples/tagging.py"""

from typing import Any

import numpy as np

import seq2seq

random = np.random.default_rng(1)
SPEEDS = {"rest": 0.0, "walk": 0.5, "run": 1.1}


def recording() -> tuple[np.ndarray, np.ndarray]:
    """A swing that is faster or slower by turns, with some noise, and which it is at each frame."""
    names = [name for name in random.choice([*SPEEDS], 4) for _ in range(random.integers(8, 16))]
    angle = np.cumsum([SPEEDS[name] for name in names]) + random.uniform(0, 2 * np.pi)
    return np.sin(angle) + 0.1 * random.normal(size=len(names)), np.array(names)


recordings = [recording() for _ in range(300)]
options: dict[str, Any] = {
    "model": "tagger",
    "model__encoder": {"hidden_size": 32, "num_layers": 1},
    "budget__max_steps": 200,
    "optimizer__lr": 0.01,
    "precision": "32-true",
    "threads": 1,
    "logger": "none",
}
run = seq2seq.train(recordings[:-60], test=recordings[-60:], **options)
print(run.evaluate(split="test").scores)
series, labels = recordings[-1]
print(run.translate(series).split()[:12], labels[:12].tolist())
