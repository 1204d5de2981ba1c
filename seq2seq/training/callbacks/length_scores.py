"""The dev score of short and of long sources."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch

from seq2seq.errors import UserError
from seq2seq.metrics.scores import Scores
from seq2seq.training.callbacks.boards import log

_EDGES = (5, 10)  # then twice as many each


class LengthScores(lightning.Callback):
    """Logs the monitored score by the number of tokens in the source, with how many dev examples each has.

    Lengths that less than `examples` have are left out; without two that have them nothing is logged. Where a loss is
    monitored it is the first score. Raises UserError below 1 example.
    """

    def __init__(self, *, monitor: str, examples: int = 20) -> None:
        if examples < 1:
            raise UserError(f"examples must be at least 1, but is {examples}.")
        self.monitor, self.examples = monitor, examples
        self._lengths: list[int] = []

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        encoded = pl_module.translator.tokenizers.source.encode([one.source for one in pl_module.dev_examples])
        self._lengths = [len(ids) for ids in encoded]

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        counts = np.bincount([bucket(length) for length in self._lengths])
        kept = [number for number, count in enumerate(counts) if count >= self.examples]
        if len(kept) < 2:
            return
        name, scores = _monitored(pl_module.scores, self.monitor.removeprefix("dev/"))
        share = pl_module.translator.share(len(self._lengths), trainer.global_rank, trainer.world_size)
        mine = [bucket(length) for length in self._lengths[share]]
        sums = np.stack([scores.latest[np.equal(mine, number)].sum(0) for number in kept])
        totals = trainer.strategy.reduce(torch.from_numpy(sums).to(pl_module.device), reduce_op="sum")
        values = scores.scores(totals.cpu().double().numpy())[name]
        found = {f"dev/{name}_by_length/{label(kept[place])}": float(value) for place, value in enumerate(values)}
        log(trainer, found | {f"dev/examples_by_length/{label(number)}": float(counts[number]) for number in kept})


def bucket(length: int) -> int:
    """The number of the bucket of a length: 0 to 5, 6 to 10, 11 to 20, 21 to 40, ..."""
    number = 0
    while length > _upper(number):
        number += 1
    return number


def label(number: int) -> str:
    """The lengths of a bucket, as in 11-20."""
    return f"{_upper(number - 1) + 1 if number else 1}-{_upper(number)}"


def _upper(number: int) -> int:
    return _EDGES[0] << number if number < len(_EDGES) else _EDGES[-1] << (number - len(_EDGES) + 1)


def _monitored(metrics: Any, wanted: str) -> tuple[str, Scores]:
    """The score to look at, and the metric that it is of."""
    names: Sequence[tuple[str, Scores]] = [
        (name, metric)
        for metric in metrics.values()
        for name in metric.scores(metric.latest.sum(0)[None].astype(float))
    ]
    return next((pair for pair in names if pair[0] == wanted), names[0])
