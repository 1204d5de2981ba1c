"""An output that shares the target embedding's matrix."""

from torch import Tensor, nn

from seq2seq.layers.embedding import Embedding
from seq2seq.layers.linear import linear
from seq2seq.layers.output.matrix import MatrixOutput
from seq2seq.layers.output.output import Rows


class TiedOutput(MatrixOutput):
    """Output by the target embedding's matrix E: logits = E P features + b (Press & Wolf 2017).

    P is the identity where sizes agree.
    """

    def make(self, feature_size: int, embedding: Embedding) -> None:
        same = feature_size == embedding.size
        self.projection = nn.Identity() if same else linear(feature_size, embedding.size, bias=False)
        self.weight = embedding.table.weight
        self.bias = nn.Parameter(self.weight.new_zeros(embedding.rows))

    def parts(self, features: Rows) -> tuple[Tensor, Tensor, Tensor]:
        return self.projection(features), self.weight, self.bias
