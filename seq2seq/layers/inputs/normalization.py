"""Statistics of features over all frames to train on, and what makes them alike."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.errors import UserError

AnyFrames = Float[Tensor, "*shape feature"]
_QUARTILES = 1.349  # standard deviations from the first to the third quartile of a normal distribution
_AT_ONCE = 1 << 18  # frames whose copy in float64 is small


class Normalization(nn.Module):
    """Features less their centre, over their scale, which are found in float64 over all frames to train on.

    `standard`: mean and standard deviation; `robust`: median and interquartile range / 1.349, which a few wild values
    do not move; `log`: `standard` of sign(x) log(1 + |x|); `none`: 0 and 1. What is missing (NaN) does not count. A
    constant feature becomes 0 everywhere. `mean` is that of what comes out, which can stand for what is missing. All
    three stay in float32 at least when weights become shorter: a centre that is rounded can be many scales off.
    Raises UserError at another kind.
    """

    center: Tensor
    factor: Tensor
    mean: Tensor

    def __init__(self, features: int, kind: str) -> None:
        super().__init__()
        if kind not in _KINDS:
            raise UserError(f"normalization must be one of {', '.join(_KINDS)}, but is {kind!r}.")
        self.kind = kind
        self.register_buffer("center", torch.zeros(features))
        self.register_buffer("factor", torch.ones(features))  # 1 / scale; 0 of a constant
        self.register_buffer("mean", torch.zeros(features))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Normalization":
        kept = {name: getattr(self, name) for name in self._buffers}
        super()._apply(fn, recurse)
        for name, before in kept.items():
            after = getattr(self, name)
            if after.dtype != torch.promote_types(after.dtype, torch.float32):
                setattr(self, name, before.to(after.device))
        return self

    def prepare(self, frames: np.ndarray) -> None:
        """Find the statistics of all frames, `frames feature`."""
        center, scale = np.zeros(frames.shape[1]), np.ones(frames.shape[1])
        if self.kind != "none":
            center, scale = _KINDS[self.kind](frames)
        self.center.copy_(torch.from_numpy(center))
        self.factor.copy_(torch.from_numpy(np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)))
        mean, _ = _moments(_logarithm(frames) if self.kind == "log" else frames)
        self.mean.copy_((torch.from_numpy(mean) - self.center) * self.factor)

    def forward(self, frames: AnyFrames) -> AnyFrames:
        """The frames, normalised; what is missing stays so."""
        if self.kind == "log":
            frames = frames.sign() * frames.abs().log1p()
        return (frames - self.center) * self.factor

    @property
    def scale(self) -> Tensor:
        """Units of the data in one of a normalised feature, `feature`; 0 of a constant one."""
        return torch.where(self.factor > 0, 1 / self.factor, 0.0)

    def restored(self, frames: AnyFrames) -> AnyFrames:
        """Normalised frames in the units of the data; those of `log` have no such way back."""
        return frames * self.scale + self.center


def _moments(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation by feature, in two passes; 0 of a feature that is never seen."""
    count, total = np.zeros(frames.shape[1]), np.zeros(frames.shape[1])
    parts = range(0, len(frames), _AT_ONCE)
    for start in parts:
        some = np.asarray(frames[start : start + _AT_ONCE], np.float64)
        count += np.isfinite(some).sum(0)
        total += np.nansum(some, 0)
    mean, squares = total / np.maximum(count, 1), np.zeros(frames.shape[1])
    for start in parts:
        squares += np.nansum((np.asarray(frames[start : start + _AT_ONCE], np.float64) - mean) ** 2, 0)
    deviation = np.sqrt(squares / np.maximum(count, 1))
    return mean, np.where(deviation > 1e-7 * np.abs(mean), deviation, 0.0)  # float32 does not tell less apart


def _quartiles(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and interquartile range / 1.349 by feature; of a range of 0 the standard deviation."""
    center, scale = np.zeros(frames.shape[1]), np.zeros(frames.shape[1])
    _, deviation = _moments(frames)
    for feature in range(frames.shape[1]):
        values = np.asarray(frames[:, feature], np.float64)
        if len(values := values[np.isfinite(values)]):
            low, center[feature], high = np.quantile(values, [0.25, 0.5, 0.75])
            scale[feature] = (high - low) / _QUARTILES or deviation[feature]
    return center, scale


def _logarithm(frames: np.ndarray) -> np.ndarray:
    frames = np.asarray(frames, np.float64)
    return np.sign(frames) * np.log1p(np.abs(frames))


_KINDS: dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "standard": _moments,
    "robust": _quartiles,
    "log": lambda frames: _moments(_logarithm(frames)),
    "none": _moments,
}
