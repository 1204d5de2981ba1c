"""Single changes to a series of frames, each by its own random draws; what is missing (NaN) stays so."""

import numpy as np
from jaxtyping import Float, Float32

from seq2seq.data.series import Values

Mean = Float[np.ndarray, " feature"]
OtherLength = Float32[np.ndarray, "other feature"]

_SLOPE = 2.0  # nats from the middle of the features to either end, up or down: about 9 dB
_REACH = 4  # standard deviations of a bell that is cut off there


def stretched(values: Values, most: float, draw: np.random.Generator) -> OtherLength:
    """The series at another speed: up to `most` of its length longer or shorter, on lines between its frames."""
    length = len(values)
    count = max(1, round(length * (1 + draw.uniform(-most, most))))
    places = np.linspace(0, length - 1, count)
    before = np.minimum(places.astype(np.int64), length - 1)
    behind = np.minimum(before + 1, length - 1)
    share = (places - before)[:, None].astype(np.float32)
    return np.where(share > 0, values[before] + (values[behind] - values[before]) * share, values[before])


def shifted(values: Values, most: int, draw: np.random.Generator) -> OtherLength:
    """The series up to `most` frames later, its first frame standing meanwhile, or earlier, without its first ones."""
    by = int(draw.integers(-most, most + 1))
    return values[min(-by, len(values) - 1) :] if by < 0 else np.concatenate([values[:1].repeat(by, 0), values])


def smoothed(values: Values, most: float, draw: np.random.Generator) -> Values:
    """Means of each feature over time under a bell of up to `most` frames standard deviation."""
    width = max(draw.uniform(0, most), 1e-3)
    reach = min(int(np.ceil(_REACH * width)), len(values) - 1)
    observed = np.isfinite(values)
    total, weight = np.zeros_like(values), np.zeros_like(values)
    for by in range(-reach, reach + 1):
        own, other = _overlap(len(values), by)
        bell = np.float32(np.exp(-0.5 * (by / width) ** 2))
        total[own] += bell * np.where(observed[other], values[other], 0)
        weight[own] += bell * observed[other]
    return np.where(observed, total / np.where(observed, weight, 1), np.nan)


def _overlap(length: int, by: int) -> tuple[slice, slice]:
    """Places of a series that have another so many behind them, and these."""
    return slice(max(0, -by), length - max(0, by)), slice(max(0, by), length - max(0, -by))


def noisy(values: Values, ratio: float, draw: np.random.Generator) -> Values:
    """The series with white noise whose power is 10^(-ratio / 10) times that of each feature about its mean."""
    seen = np.isfinite(values).any(0)
    power = np.zeros(values.shape[1])
    power[seen] = np.nanvar(values[:, seen].astype(np.float64), 0)
    deviation = np.sqrt(power / 10 ** (ratio / 10))
    return values + (draw.standard_normal(values.shape) * deviation).astype(np.float32)


def with_noise_power(values: Values, ratio: float, draw: np.random.Generator) -> Values:
    """Logarithms of power, such as of log-mel bands, with the power of noise added: log(exp x + exp n).

    Power over all frames and features is 10^(ratio / 10) times the noise's, which is exponential, as in single
    frequencies, about a spectrum whose slope is drawn.
    """
    slope = np.exp(draw.uniform(-_SLOPE, _SLOPE) * np.linspace(-1, 1, values.shape[1]))
    noise = draw.standard_exponential(values.shape) * slope
    observed = np.isfinite(values)
    if not observed.any():
        return values
    power = np.where(observed, values, -np.inf).astype(np.float64)
    top = power.max()
    signal = np.exp(power - top).sum() / observed.sum()
    level = np.log(np.maximum(noise * signal / (slope.mean() * 10 ** (ratio / 10)), 1e-30)) + top
    return np.where(observed, np.logaddexp(power, level), np.nan).astype(np.float32)


def masked(values: Values, rows: slice, columns: slice, mean: Mean) -> Values:
    """The series with some frames or features hidden, where the mean of train stands instead."""
    hidden = values.copy()
    part = values[rows, columns]
    hidden[rows, columns] = np.where(np.isfinite(part), mean[columns].astype(np.float32), np.nan)
    return hidden
