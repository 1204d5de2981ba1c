"""Errors of forecasts, in the units of the data."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from seq2seq.errors import UserError
from seq2seq.metrics.scores import Scores
from seq2seq.shapes import SentenceCounts, TrialScores, TrialTotals

_COUNTS = 4  # values, and sums of absolute errors, of squared ones and of CRPS


class ForecastErrors(Scores):
    """MAE and RMSE of the means, and the CRPS of the distributions, over all values of all frames, in their units.

    The continuous ranked probability score is that of normal distributions (Gneiting & Raftery 2007); without
    deviations it is the absolute error. Features count alike, whatever their units: score those that belong together.
    Of several references of a series the nearest counts. Raises UserError at what are no frames, at a reference with a
    value missing, and at a forecast that is not as long as its reference.
    """

    def __init__(self) -> None:
        super().__init__(_COUNTS, dtype=torch.double)

    def counts(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Sequence[str]
    ) -> SentenceCounts:
        rows = [
            min((_errors(hypothesis, one) for one in known), key=lambda row: row[1])
            for hypothesis, known in zip(hypotheses, references, strict=True)
        ]
        return np.array(rows, dtype=float).reshape(-1, _COUNTS)

    def scores(self, totals: TrialTotals) -> dict[str, TrialScores]:
        values, absolute, squared, ranked = totals.T
        count = np.maximum(values, 1)
        return {"mae": absolute / count, "rmse": np.sqrt(squared / count), "crps": ranked / count}

    @property
    def signature(self) -> str:
        return "mean over values, in their units; crps of normal distributions"


def crps(targets: np.ndarray, means: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """The CRPS of normal distributions at targets: s (z (2 P(z) - 1) + 2 p(z) - 1 / sqrt(pi)), with z = (y - m) / s.

    Gneiting & Raftery (2007), eq. 21. Where s is 0, it is |y - m|.
    """
    distance = targets - means
    z = np.divide(distance, deviations, out=np.zeros_like(distance), where=deviations > 0)
    below = torch.special.ndtr(torch.from_numpy(z)).numpy()
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    found = deviations * (z * (2 * below - 1) + 2 * density - 1 / math.sqrt(math.pi))
    return np.where(deviations > 0, found, np.abs(distance))


def _errors(hypothesis: str, reference: str) -> tuple[float, float, float, float]:
    """The counts of a series."""
    means, targets = _values(hypothesis), _values(reference)
    if means.shape != targets.shape:
        raise UserError(
            f"a forecast must be of as many frames and features as its reference, {list(targets.shape)}, but is of "
            f"{list(means.shape)}."
        )
    if (gaps := np.argwhere(np.isnan(targets))).size:
        frame, feature = (gaps[0] + 1).tolist()
        place = getattr(reference, "place", "a reference")
        raise UserError(f"{place}, frame {frame}, feature {feature} has no value: fill it, or leave the series out.")
    distance = np.abs(targets - means)
    given = getattr(hypothesis, "deviations", None)
    ranked = distance if given is None else crps(targets, means, np.asarray(given, np.float64))
    return float(targets.size), float(distance.sum()), float((distance**2).sum()), float(ranked.sum())


def _values(text: Any) -> np.ndarray:
    """The numbers of a series, which takes the place of a text."""
    values = getattr(text, "values", None)
    if not isinstance(values, np.ndarray):
        raise UserError(
            f"errors of forecasts are of frames, but there is a text, {str(text)[:40]!r}: choose another metric."
        )
    return np.asarray(values, np.float64)
