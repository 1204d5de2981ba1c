"""An output with a matrix of its own."""

from seq2seq.layers.embedding import Embedding
from seq2seq.layers.linear import linear
from seq2seq.layers.output.output import Output, Rows, RowScores


class FullOutput(Output):
    """Output with a matrix of its own: logits = W features + b."""

    def __init__(self, *, feature_size: int, embedding: Embedding, normalizer: str = "softmax") -> None:
        super().__init__(normalizer)
        self.projection = linear(feature_size, embedding.vocabulary_size)

    def scores(self, features: Rows) -> RowScores:
        return self.projection(features)
