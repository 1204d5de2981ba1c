"""Digits of large numbers that frames of 32 bits do not keep."""

import logging
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float32

logger = logging.getLogger(__name__)
_SMALL = 1 << 20  # numbers up to here are kept to within a sixteenth
_MOST = 0.01  # of what a feature spans


def lost_digits(given: np.ndarray, kept: Float32[np.ndarray, "time feature"]) -> str:
    """Words on what 32 bits do not keep of a series, by the feature that spans most; of most series, nothing.

    Digits are lost where numbers are rounded by more than a hundredth of what their feature spans.
    """
    if given.dtype == np.float32 or given.dtype.kind not in "fiuO" or given.dtype.itemsize < 4:
        return ""
    if not (np.abs(kept) > _SMALL).any():
        return ""
    exact = given.astype(np.float64)
    missing = np.isnan(exact)
    spans = np.where(missing, -np.inf, exact).max(0) - np.where(missing, np.inf, exact).min(0)
    errors = np.where(missing, 0, np.abs(exact - kept)).max(0)
    coarse = np.flatnonzero((errors > _MOST * spans) & (spans > 0))
    if not coarse.size:
        return ""
    feature = int(coarse[np.argmax(spans[coarse])])
    near = np.nanmax(np.abs(kept[:, feature]))
    return (
        f"feature {feature + 1} lies near {near:.3g} and spans {spans[feature]:.3g}, of which numbers of 32 bits keep "
        f"steps of {np.spacing(near):.3g}"
    )


def warn_of_lost_digits(texts: Iterable[str]) -> bool:
    """Warn of the first of some sources and targets that is a series whose digits are lost, and tell whether one is."""
    for text in texts:
        if lost := getattr(text, "lost", ""):
            logger.warning("%s, %s: subtract what its values have in common", getattr(text, "place", "a series"), lost)
            return True
    return False
