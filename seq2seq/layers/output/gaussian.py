"""An output of normal distributions."""

import math

from torch import Tensor

from seq2seq.layers.output.frames import Forecasts, FrameOutput, FrameRows
from seq2seq.layers.output.output import Rows, WideScores

_FURTHEST = 7.0  # of the logarithm of a deviation, from 0
_HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)


class GaussianOutput(FrameOutput):
    """Output of a mean and a deviation for every value: y ~ N(m, s^2), with [m; log s] = W features + b.

    Its loss is the negative log-likelihood, in nats: (y - m)^2 / (2 s^2) + log s + log(2 pi) / 2. log s is held between
    -7 and 7, so that a value that is always met does not drive it on.
    """

    columns = 2

    def distances(self, found: WideScores, targets: FrameRows) -> FrameRows:
        means, logarithms = self._parts(found)
        return 0.5 * ((targets - means) * (-logarithms).exp()).square() + logarithms + _HALF_LOG_2_PI

    def forecasts(self, features: Rows) -> Forecasts:
        means, logarithms = self._parts(self.scores(features))
        return Forecasts(self.normalization.restored(means), logarithms.exp() * self.normalization.scale)

    def _parts(self, found: WideScores) -> tuple[Tensor, Tensor]:
        means, logarithms = found.chunk(2, -1)
        return means, logarithms.clamp(-_FURTHEST, _FURTHEST)
