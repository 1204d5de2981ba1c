"""Source ids to what the decoder attends to."""

from collections.abc import Callable

from torch import nn

from seq2seq.layers.embedding import Embedding, NGramEmbedding
from seq2seq.layers.recurrent.cells import Cell
from seq2seq.layers.recurrent.stack import BidirectionalStack
from seq2seq.shapes import Lengths, SourceIds, Values, Vectors


class Encoder(nn.Module):
    """Embedding, with that of each token's n-grams if wanted, and a stack of bidirectional recurrent layers."""

    def __init__(
        self,
        *,
        embedding: Embedding,
        hidden_size: int,
        num_layers: int,
        cell: Callable[[int, int], Cell],
        residual: bool = True,
        dropout: float = 0.0,
        ngrams: Callable[[int, int], NGramEmbedding] | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.ngrams = ngrams(embedding.vocabulary_size, embedding.size) if ngrams else None
        self.stack = BidirectionalStack(
            embedding.size, hidden_size, num_layers, cell=cell, residual=residual, dropout=dropout
        )

    @property
    def output_size(self) -> int:
        return self.stack.output_size

    def forward(self, source: SourceIds, lengths: Lengths) -> tuple[Values, Vectors]:
        """The value of every source token, and the last output of each direction."""
        vectors = self.embedding.table(source)
        if self.ngrams is not None:
            vectors = vectors + self.ngrams(source)
        return self.stack(self.embedding.dropout(vectors), lengths)
