"""Sound as frames: the logarithm of the power in bands of the mel scale, of whole sounds or while they play."""

from collections.abc import Sequence
from math import ceil, log2

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from seq2seq.errors import UserError, check_finite

Samples = Float[Tensor, " samples"]
Given = Tensor | np.ndarray | Sequence[float]  # as a microphone or a file hands it over
Spectrum = Float[Tensor, "time band"]

_ROWS = 16  # that transforms come in: fewer take other kernels on some processors, whose last bits differ
_FLOOR = 1e-10  # of power, whose logarithm is then no less than -23


class LogMel:
    """Log-mel spectra: S_tb = log max(1e-10, sum_f M_bf |FFT(w x_t)_f|^2), a frame for every hop.

    Frame t is of the `window` seconds that begin at t `hop`, under a Hann window: no frame looks ahead of its own. The
    triangular filters M are evenly spaced on the mel scale of HTK, 2595 log10(1 + f / 700), between `lowest` and
    `highest` Hz, at None half the rate. Every operation is of one frame alone, so that streams give the frames of whole
    sounds, bit for bit. Raises UserError at sizes out of range, and where a filter would hold no frequency.

    >>> import torch
    >>> from seq2seq.data.log_mel import LogMel
    >>> LogMel(rate=16000, bands=40)(torch.zeros(16000)).shape
    torch.Size([98, 40])
    """

    def __init__(
        self,
        *,
        rate: int = 16_000,
        window: float = 0.025,
        hop: float = 0.01,
        bands: int = 40,
        lowest: float = 20.0,
        highest: float | None = None,
    ) -> None:
        check_finite(window=window, hop=hop, lowest=lowest, highest=highest)
        top = rate / 2 if highest is None else highest
        _check(rate, bands, lowest, top)
        self.rate, self.bands = rate, bands
        self.window, self.hop = round(window * rate), round(hop * rate)  # samples
        if self.window < 2:
            raise UserError(f"window must be at least 2 samples, but is {window:g} s of {rate} a second.")
        if not 1 <= self.hop <= self.window:
            raise UserError(f"hop must be at least a sample and at most the window, {window:g} s, but is {hop:g}.")
        self.size = 2 ** ceil(log2(self.window))  # of the transform
        self._hann = torch.hann_window(self.window, dtype=torch.float64).float()
        self._bins, self._weights = _filters(self.size, rate, bands, lowest, top)

    def __call__(self, samples: Given) -> Spectrum:
        """The frames of a sound, whose samples are between -1 and 1; none of one that is shorter than a window.

        Raises UserError at samples of several channels, and at whole numbers, which reach further.
        """
        samples = _checked(samples)
        if len(samples) < self.window:
            return samples.new_zeros(0, self.bands)
        frames = samples.unfold(0, self.window, self.hop) * self._hann
        whole = functional.pad(frames, (0, 0, 0, -len(frames) % _ROWS))
        spectrum = torch.fft.rfft(whole, self.size)[: len(frames)]
        power = spectrum.real.square() + spectrum.imag.square()
        total = torch.zeros(len(power), self.bands)
        for bins, weights in zip(
            self._bins, self._weights, strict=True
        ):  # sums whose order no number of frames changes
            total += power[:, bins] * weights
        return total.clamp(min=_FLOOR).log()

    def stream(self) -> "LogMelStream":
        """A stream of frames of a sound that is still to come."""
        return LogMelStream(self)


class LogMelStream:
    """A stream of sound in and frames out: each frame comes with the last sample of its window."""

    def __init__(self, spectrum: LogMel) -> None:
        self.spectrum = spectrum
        self._waiting = torch.zeros(0)  # from where the next frame begins

    def feed(self, samples: Given) -> Spectrum:
        """The frames that are whole now that some more samples have come."""
        self._waiting = torch.cat([self._waiting, _checked(samples)])
        frames = self.spectrum(self._waiting)
        self._waiting = self._waiting[len(frames) * self.spectrum.hop :]
        return frames


def _checked(samples: Given) -> Samples:
    """Samples of a sound, a tensor, array or list of numbers, as float32."""
    found = torch.as_tensor(samples)
    if found.ndim != 1:
        raise UserError(f"samples must be of one channel, in a row, but have shape {list(found.shape)}: take the mean.")
    if not found.is_floating_point():
        raise UserError(f"samples must be numbers between -1 and 1, but are {found.dtype}: divide them by their most.")
    return found.float()


def _check(rate: int, bands: int, lowest: float, highest: float) -> None:
    if rate < 1:
        raise UserError(f"rate must be at least 1 sample a second, but is {rate}.")
    if bands < 1:
        raise UserError(f"bands must be at least 1, but is {bands}.")
    if not 0 <= lowest < highest:
        raise UserError(f"lowest must be at least 0 Hz and below highest, {highest:g} Hz, but is {lowest:g}.")
    if highest > rate / 2:
        raise UserError(f"highest must be at most half of rate, {rate / 2:g} Hz, but is {highest:g}.")


def _mel(frequency: Tensor) -> Tensor:
    return 2595 * torch.log10(1 + frequency / 700)


def _filters(
    size: int, rate: int, bands: int, lowest: float, highest: float
) -> tuple[Int[Tensor, "most band"], Float[Tensor, "most band"]]:
    """Numbers of the frequencies that each filter holds, in their order, and its weights of them; 0 behind the last."""
    low, high = _mel(torch.tensor([lowest, highest], dtype=torch.float64))
    edges = torch.linspace(float(low), float(high), bands + 2, dtype=torch.float64)
    mel = _mel(torch.arange(size // 2 + 1, dtype=torch.float64) * rate / size)
    rising = (mel - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - mel) / (edges[2:] - edges[1:-1])[:, None]
    filters = torch.minimum(rising, falling).clamp(min=0)
    held = (filters > 0).sum(1)
    if not bool(held.all()):
        raise UserError(
            f"bands must be so few that each holds a frequency of the {size} samples that are transformed, but of "
            f"{bands} number {int((held == 0).nonzero()[0]) + 1} holds none: take fewer, or a longer window."
        )
    order = (filters > 0).int().argsort(dim=1, descending=True, stable=True)[:, : int(held.max())]
    return order.T.contiguous(), filters.gather(1, order).T.float().contiguous()
