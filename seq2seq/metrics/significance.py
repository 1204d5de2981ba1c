"""Intervals of the scores of one system, and tests of the difference between two: what chance could do to them.

Sentences are drawn again, and scores computed anew from the sums of their counts. Draws are those of
`sacrebleu.significance` for the same seed, without holding all of them at once. Two things differ on purpose. It takes
the mean of |d| off each |d| in the paired bootstrap, which is a one-sided test; here the mean is taken off d. And it
counts only draws that go beyond the difference seen, so that a system differs significantly from itself; here a draw
that equals it counts too, as in the definition (Noreen 1989).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from seq2seq.shapes import SentenceCounts, TrialScores, TrialTotals

Scoring = Callable[[TrialTotals], Mapping[str, TrialScores]]
Interval = tuple[float, float]

_CONFIDENCE = 95
_DRAWN_AT_ONCE = 2_000_000  # sentences over all trials that are held at a time
_WORD = 32  # trials drawn at a time are a multiple: the generator throws away what is left of a word of random bits
_ROUNDING = 1e-9  # percent; the same counts, summed in another order


@dataclass(frozen=True)
class Draws:
    """Numbers of trials that draw sentences again, with replacement and between two systems; 0 for none."""

    bootstrap: int = 0
    randomization: int = 0
    seed: int = 12345


@dataclass(frozen=True)
class Difference:
    """The distance of a score above another, and how likely chance alone makes as much of it; None where not drawn."""

    difference: float
    interval: Interval | None
    bootstrap_p: float | None
    randomization_p: float | None


def intervals(counts: SentenceCounts, scoring: Scoring, draws: Draws) -> dict[str, Interval]:
    """The 95 % intervals of scores, from percentiles over bootstrap samples of the sentences (Efron 1979)."""
    return {name: _interval(values) for name, values in scoring(_resampled(counts, draws)).items()}


def differences(
    counts: SentenceCounts, baseline: SentenceCounts, scoring: Scoring, draws: Draws
) -> dict[str, Difference]:
    """Scores of one system minus those of a baseline on the same sentences, with two-sided p-values.

    By paired bootstrap (Koehn 2004; Riezler & Maxwell 2005) and by approximate randomization (Noreen 1989).
    """
    seen = _gap(scoring, counts.sum(0)[None], baseline.sum(0)[None])
    drawn = _gap(scoring, _resampled(counts, draws), _resampled(baseline, draws)) if draws.bootstrap else {}
    swapped = _gap(scoring, *_swapped(counts, baseline, draws)) if draws.randomization else {}
    found = {}
    for name, (difference,) in seen.items():
        p_value = partial(_p_value, seen=float(difference))
        found[name] = Difference(
            difference=float(difference),
            interval=_interval(drawn[name]) if drawn else None,
            bootstrap_p=p_value(drawn[name] - drawn[name].mean()) if drawn else None,
            randomization_p=p_value(swapped[name]) if swapped else None,
        )
    return found


def _gap(scoring: Scoring, totals: TrialTotals, baseline: TrialTotals) -> dict[str, TrialScores]:
    """Differences of scores, of every trial."""
    ours, theirs = scoring(totals), scoring(baseline)
    return {name: ours[name] - theirs[name] for name in ours}


def _resampled(counts: SentenceCounts, draws: Draws) -> TrialTotals:
    """Summed counts of as many sentences, drawn with replacement; the same sentences for every system."""
    generator, size = np.random.default_rng(draws.seed), len(counts)
    sums = [
        np.stack([np.bincount(row, minlength=size) for row in generator.integers(size, size=(trials, size))]) @ counts
        for trials in _portions(draws.bootstrap, size)
    ]
    return np.concatenate(sums)


def _swapped(counts: SentenceCounts, baseline: SentenceCounts, draws: Draws) -> tuple[TrialTotals, TrialTotals]:
    """Summed counts of two systems that each get, sentence by sentence, the one's or the other's by a coin's fall."""
    generator, size = np.random.default_rng(draws.seed), len(counts)
    gap, both = baseline - counts, (counts + baseline).sum(0)
    sums = [
        generator.integers(2, size=(trials, size), dtype=bool).astype(float) @ gap
        for trials in _portions(draws.randomization, size)
    ]
    first = counts.sum(0) + np.concatenate(sums)
    return first, both - first


def _portions(trials: int, size: int) -> Iterator[int]:
    """Numbers of trials to make at a time, which add up to all."""
    portion = max(1, _DRAWN_AT_ONCE // size // _WORD) * _WORD
    while trials > 0:
        yield min(portion, trials)
        trials -= portion


def _interval(values: TrialScores) -> Interval:
    outside = (100 - _CONFIDENCE) / 2
    low, high = np.percentile(values, [outside, 100 - outside])
    return float(low), float(high)


def _p_value(drawn: TrialScores, seen: float) -> float:
    """The share of draws under chance alone that are as far from 0 as what was seen; that counts as one of them."""
    beyond = np.count_nonzero(np.abs(drawn) >= abs(seen) - _ROUNDING)
    return (float(beyond) + 1) / (len(drawn) + 1)
