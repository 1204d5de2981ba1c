"""Series of frames that training sees changed, anew in every epoch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.data.augmentation.frame_changes import (
    Mean,
    OtherLength,
    masked,
    noisy,
    shifted,
    smoothed,
    stretched,
    with_noise_power,
)
from seq2seq.data.series import Values
from seq2seq.errors import UserError, check_finite


@dataclass(frozen=True)
class MaskOptions:
    """Options of SpecAugment (Park et al. 2019), without its warping: what is hidden of every series.

    Each of `feature_masks` hides 0 to `feature_width` features that adjoin, and each of `time_masks` 0 to `time_width`
    frames, no more than `time_share` of the series. Raises UserError at a value out of range.
    """

    feature_masks: int = 2
    feature_width: int = 8
    time_masks: int = 2
    time_width: int = 15
    time_share: float = 0.2

    def __post_init__(self) -> None:
        for name in ("feature_masks", "feature_width", "time_masks", "time_width"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} must be at least 0, but is {getattr(self, name)}.")
        if not 0 < self.time_share <= 1:
            raise UserError(f"time_share must be above 0 and at most 1, but is {self.time_share}.")

    @property
    def hides(self) -> bool:
        """Tell whether anything can be hidden."""
        return min(self.feature_masks, self.feature_width) > 0 or min(self.time_masks, self.time_width) > 0

    def hidden(self, values: Values, mean: Mean, draw: np.random.Generator) -> Values:
        """A series with its masks, where the mean stands."""
        time, features = values.shape
        for _ in range(self.feature_masks):
            values = masked(values, slice(None), _span(features, self.feature_width, draw), mean)
        for _ in range(self.time_masks):
            most = min(self.time_width, int(self.time_share * time))
            values = masked(values, _span(time, most, draw), slice(None), mean)
        return values


def _span(size: int, most: int, draw: np.random.Generator) -> slice:
    width = int(draw.integers(0, min(most, size) + 1))
    start = int(draw.integers(0, size - width + 1))
    return slice(start, start + width)


class FrameAugmentation:
    """Changes to the series of train: at another speed, later or earlier, smoother, with noise, with parts hidden.

    They come in this order, each where it is on: `stretch`, the share by which a series is at most longer or shorter;
    `shift`, the frames by which it comes at most later or earlier; `smoothing`, the widest deviation of a bell, in
    frames; `snr`, the lowest and the highest ratio of signal to noise in decibels, of which one is drawn; masks. With
    `power`, frames are logarithms of power, to which that of the noise is added. What is done to a series is a function
    of the seed, the epoch and the number of its example. Raises UserError where a value is out of range, or none is on.
    """

    def __init__(
        self,
        *,
        options: MaskOptions,
        stretch: float = 0.0,
        shift: int = 0,
        smoothing: float = 0.0,
        snr: Sequence[float] | None = None,
        power: bool = False,
    ) -> None:
        check_finite(stretch=stretch, smoothing=smoothing, snr=snr)
        _check(stretch, shift, smoothing, snr, power=power)
        self.masks, self.power = options, power
        self.stretch, self.shift, self.smoothing, self.snr = stretch, shift, smoothing, snr
        self.mean: Mean = np.zeros(0)
        if not (options.hides or stretch or shift or smoothing or snr):
            raise UserError(
                "augmentation must change frames by stretch, shift, smoothing, snr or masks, but does by none: choose "
                "augmentation=none."
            )

    def learn(self, frames: Values) -> None:
        """Take in all frames to train on. Raises UserError where masks would be wider than these."""
        features = frames.shape[1]
        if self.masks.feature_masks and self.masks.feature_width > features:
            raise UserError(
                f"feature_width must be at most the number of features, {features}, but is {self.masks.feature_width}."
            )
        observed = np.isfinite(frames)
        total = np.where(observed, frames, 0).sum(0, dtype=np.float64)
        self.mean = total / np.maximum(observed.sum(0), 1)

    def changed(self, values: Values, seed: int, epoch: int, example: int) -> OtherLength:
        """A series as an epoch sees it."""
        found: OtherLength = values
        for number, change in enumerate(self._changes()):
            if change is not None:
                found = change(found, np.random.default_rng((seed, epoch, example, number)))
        return np.ascontiguousarray(found, dtype=np.float32)

    def _changes(self) -> list[Callable[[Values, np.random.Generator], OtherLength] | None]:
        """Changes in their order; None in the place of one that is off, so that it changes no other's draws."""
        return [
            (lambda values, draw: stretched(values, self.stretch, draw)) if self.stretch else None,
            (lambda values, draw: shifted(values, self.shift, draw)) if self.shift else None,
            (lambda values, draw: smoothed(values, self.smoothing, draw)) if self.smoothing else None,
            self._noisy if self.snr else None,
            (lambda values, draw: self.masks.hidden(values, self.mean, draw)) if self.masks.hides else None,
        ]

    def _noisy(self, values: Values, draw: np.random.Generator) -> Values:
        lowest, highest = self.snr or (0.0, 0.0)
        ratio = draw.uniform(lowest, highest)
        return with_noise_power(values, ratio, draw) if self.power else noisy(values, ratio, draw)


def _check(stretch: float, shift: int, smoothing: float, snr: Sequence[float] | None, *, power: bool) -> None:
    if not 0 <= stretch < 1:
        raise UserError(f"stretch must be at least 0 and below 1, but is {stretch}.")
    for name, value in (("shift", shift), ("smoothing", smoothing)):
        if value < 0:
            raise UserError(f"{name} must be at least 0 frames, but is {value}.")
    if snr is not None and (len(snr) != 2 or snr[0] > snr[1]):
        raise UserError(f"snr must be the lowest and the highest ratio in dB, or null for none, but is {list(snr)}.")
    if power and snr is None:
        raise UserError("power must be false without snr, as it is of noise.")
