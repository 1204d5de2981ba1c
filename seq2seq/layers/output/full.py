"""An output with a matrix of its own."""

from torch import Tensor

from seq2seq.layers.embedding import Embedding
from seq2seq.layers.linear import linear
from seq2seq.layers.output.matrix import MatrixOutput
from seq2seq.layers.output.output import Rows, WideScores


class FullOutput(MatrixOutput):
    """Output with a matrix of its own: logits = W features + b."""

    def make(self, feature_size: int, embedding: Embedding) -> None:
        self.projection = linear(feature_size, embedding.rows)

    def parts(self, features: Rows) -> tuple[Tensor, Tensor, Tensor]:
        return features, self.projection.weight, self.projection.bias

    def scores(self, features: Rows) -> WideScores:
        return self.projection(features)
