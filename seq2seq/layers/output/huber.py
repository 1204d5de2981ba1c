"""An output of values that few wild ones move little."""

from torch.nn import functional

from seq2seq.errors import UserError, check_finite
from seq2seq.layers.frame_embedding import FrameEmbedding
from seq2seq.layers.output.frames import Forecasts, FrameOutput, FrameRows
from seq2seq.layers.output.output import Losses, Rows, WideScores
from seq2seq.layers.output.smoothing import Smoothing


class HuberOutput(FrameOutput):
    """Output of a value for every one, m = W features + b, without a deviation.

    Its loss is d^2 / 2 of a distance d up to `delta`, in deviations of train, and beyond it delta (d - delta / 2)
    (Huber 1964). Raises UserError unless delta is above 0.
    """

    columns = 1

    def __init__(
        self, *, feature_size: int, embedding: FrameEmbedding, delta: float = 1.0, normalization: str = "standard"
    ) -> None:
        check_finite(delta=delta)
        if not delta > 0:
            raise UserError(f"delta must be above 0, but is {delta}.")
        super().__init__(feature_size=feature_size, embedding=embedding, normalization=normalization)
        self.delta = delta

    def distances(self, found: WideScores, targets: FrameRows) -> FrameRows:
        return functional.huber_loss(found, targets, reduction="none", delta=self.delta)

    def training_losses(self, features: Rows, targets: FrameRows, smoothing: Smoothing) -> tuple[Losses, Losses | None]:
        return self.loss(features, targets), None  # no likelihood is in it

    def forecasts(self, features: Rows) -> Forecasts:
        return Forecasts(self.normalization.restored(self.scores(features)), None)
