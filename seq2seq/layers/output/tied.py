"""An output that shares the target embedding's matrix."""

from torch import nn
from torch.nn import functional

from seq2seq.layers.embedding import Embedding
from seq2seq.layers.linear import linear
from seq2seq.layers.output.output import Output, Rows, RowScores


class TiedOutput(Output):
    """Output by the target embedding's matrix E: logits = E P features + b (Press & Wolf 2017).

    P is the identity where sizes agree.
    """

    def __init__(self, *, feature_size: int, embedding: Embedding, normalizer: str = "softmax") -> None:
        super().__init__(normalizer)
        same = feature_size == embedding.size
        self.projection = nn.Identity() if same else linear(feature_size, embedding.size, bias=False)
        self.weight = embedding.table.weight
        self.bias = nn.Parameter(self.weight.new_zeros(embedding.vocabulary_size))

    def scores(self, features: Rows) -> RowScores:
        return functional.linear(self.projection(features), self.weight, self.bias)
