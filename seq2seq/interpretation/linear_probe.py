"""Linear probes: what a weighted sum of all units of a cell says of a signal, on lines that it was not fitted to."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.errors import UserError

_FIT, _CHOOSE = 0.6, 0.2  # of the lines; scores are of the rest
_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)  # for each step, of units with variance 1
LEAST_LINES = 10


@dataclass(frozen=True)
class ProbeScore:
    """Scores of a signal that is read from units, and of its control task, both on lines that were held out.

    The measure is accuracy of classes and R2 of numbers, chance is what the most frequent class, or the mean, has. The
    control task gives each kind of piece a value of the signal at random (Hewitt and Liang 2019): a probe that learns
    it, too, learns pieces by heart.
    """

    measure: str
    score: float
    control: float
    chance: float

    @property
    def selectivity(self) -> float:
        """The score less that of the control task."""
        return self.score - self.control


class LinearProbe:
    """Ridge regressions on the units of one cell, their penalty chosen by lines of their own.

    Of classes, one number each is fitted, and the highest is said.
    """

    def __init__(self, units: Float[Tensor, "steps units"], lines: Int[Tensor, " steps"], *, seed: int) -> None:
        count = int(lines.max()) + 1
        if count < LEAST_LINES:
            raise UserError(f"A probe must have at least {LEAST_LINES} lines, but has {count}: give more.")
        self.seed = seed
        share = torch.empty(count, dtype=torch.float64)
        share[torch.randperm(count, generator=self._generator())] = (torch.arange(count) + 0.5).double() / count
        own = share[lines]
        self.fit, self.choose, self.test = own < _FIT, (own >= _FIT) & (own < _FIT + _CHOOSE), own >= _FIT + _CHOOSE
        units = units.double()
        deviation = units[self.fit].std(0)
        self.units = (units - units[self.fit].mean(0)) / deviation.masked_fill(deviation < 1e-9, torch.inf)

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    @cached_property
    def _axes(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues and vectors of the units' products."""
        fitted = self.units[self.fit]
        return torch.linalg.eigh(fitted.T @ fitted)

    def numbers(self, signal: Float[Tensor, " steps"], types: Int[Tensor, " steps"]) -> ProbeScore:
        """The R2 of a signal of numbers, and of its control task for steps of such types."""
        score, control = (self._explained(one.double()) for one in (signal, self._control(signal, types)))
        return ProbeScore("R2", score, control, chance=0.0)

    def classes(self, signal: Int[Tensor, " steps"], types: Int[Tensor, " steps"]) -> ProbeScore:
        """The accuracy of a signal of classes, and of its control task for steps of such types."""
        score, control = (self._right(one) for one in (signal, self._control(signal, types)))
        most = signal[self.fit].bincount().argmax()
        return ProbeScore("accuracy", score, control, chance=float((signal[self.test] == most).double().mean()))

    def _control(self, signal: Tensor, types: Int[Tensor, " steps"]) -> Tensor:
        """A value of the signal for each type, that of a step at random, at every step of the type."""
        known, places = types.unique(return_inverse=True)
        return signal[torch.randint(len(signal), (len(known),), generator=self._generator())][places]

    def _explained(self, signal: Float[Tensor, " steps"]) -> float:
        centred = (signal - signal[self.fit].mean()).unsqueeze(1)

        def share(part: Bool[Tensor, " steps"], weights: Tensor) -> float:
            size = float(centred[part].square().sum())
            missed = float((centred[part] - self.units[part] @ weights).square().sum())
            return 1 - missed / size if size else 0.0

        fits = self._fits(centred)
        return share(self.test, max(fits, key=lambda weights: share(self.choose, weights)))

    def _right(self, signal: Int[Tensor, " steps"]) -> float:
        wanted = torch.nn.functional.one_hot(signal).double()
        means = wanted[self.fit].mean(0)

        def share(part: Bool[Tensor, " steps"], weights: Tensor) -> float:
            said = (self.units[part] @ weights + means).argmax(1)
            return float((said == signal[part]).double().mean())

        fits = self._fits(wanted - means)
        return share(self.test, max(fits, key=lambda weights: share(self.choose, weights)))

    def _fits(self, wanted: Float[Tensor, "steps columns"]) -> list[Float[Tensor, "units columns"]]:
        """Weights for each penalty, the highest first, so that of equals the plainest is chosen."""
        values, vectors = self._axes
        products = vectors.T @ (self.units[self.fit].T @ wanted[self.fit])
        steps = int(self.fit.sum())
        return [vectors @ (products / (values + penalty * steps)[:, None]) for penalty in reversed(_PENALTIES)]
