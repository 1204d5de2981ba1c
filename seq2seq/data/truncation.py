"""Windows that back-propagation through time is cut into."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seq2seq.errors import UserError

_SPREAD, _SHORTEST, _HALVED = 5.0, 5, 0.05  # of windows that vary, in tokens, and the share of those of half the length


@dataclass(frozen=True)
class Truncation:
    """Truncated back-propagation through time: gradients go back `window` tokens at most (Williams & Peng 1990).

    States are carried from window to window, and detached. Windows of running text that are `varied` have a length of
    N(window, 5), at least 5, and one in twenty half of that, and the learning rate is multiplied by length / window
    (Merity et al. 2018): no token always comes first. Raises UserError if a window holds no token.
    """

    window: int = 70
    varied: bool = False

    def __post_init__(self) -> None:
        if self.window < 1:
            raise UserError(f"window must be at least 1 token, but is {self.window}.")

    def lengths(self, seed: int, epoch: int) -> Iterator[int]:
        """The lengths of the windows of an epoch, one after the other: a function of the seed and the epoch."""
        random = np.random.default_rng((seed, epoch))
        while True:
            if not self.varied:
                yield self.window
                continue
            mean = self.window / 2 if random.random() < _HALVED else self.window
            yield max(min(_SHORTEST, self.window), int(random.normal(mean, _SPREAD)))
