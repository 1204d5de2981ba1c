"""Encoder of source ids into what the decoder attends to."""

from collections.abc import Callable, Iterator

from torch import nn

from seq2seq.layers.embedding import Embedding, NGramEmbedding
from seq2seq.layers.front_end import ConvolutionalFrontEnd
from seq2seq.layers.recurrent.stack import BidirectionalStack, Encoded, StackOptions
from seq2seq.shapes import Lengths, SourceIds, TimeVectors


class Encoder(nn.Module):
    """Embedding, with that of each token's n-grams if wanted, a front end if wanted, and a stack of recurrent layers.

    A front end with a stride and layers that halve time leave fewer values than there are tokens: one for `reduction`
    tokens, the last perhaps for fewer.
    """

    def __init__(
        self,
        *,
        embedding: Embedding,
        options: StackOptions,
        ngrams: Callable[[int, int], NGramEmbedding] | None = None,
        front_end: Callable[[int], ConvolutionalFrontEnd] | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.ngrams = ngrams(embedding.vocabulary_size, embedding.size) if ngrams else None
        self.front_end = front_end(embedding.size) if front_end else None
        self.stack = BidirectionalStack(self.front_end.output_size if self.front_end else embedding.size, options)

    @property
    def output_size(self) -> int:
        """Width of a value."""
        return self.stack.output_size

    @property
    def stride(self) -> int:
        """Number of tokens that one step of the recurrent layers stands for."""
        return self.front_end.stride if self.front_end else 1

    @property
    def reduction(self) -> int:
        """Number of tokens that one value stands for."""
        return self.stride * self.stack.reduction

    @property
    def parts(self) -> Iterator[tuple[nn.Module, int]]:
        """Parts with matrices that run over time, with the number of tokens that one of their steps stands for."""
        if self.front_end:
            yield self.front_end, self.stride
        yield from ((part, self.stride * steps) for part, steps in self.stack.parts)

    def forward(self, source: SourceIds, lengths: Lengths) -> Encoded:
        """Values, how many there are of each sentence, and the last output of each direction."""
        return self.encode(self.embed(source), lengths)

    def embed(self, source: SourceIds) -> TimeVectors:
        """Vectors of the source tokens, `batch source size`."""
        source = self.embedding.known(source)
        vectors = self.embedding.look_up(source)
        if self.ngrams is not None:
            vectors = vectors + self.ngrams(source)
        return self.embedding.dropout(vectors)

    def encode(self, vectors: TimeVectors, lengths: Lengths) -> Encoded:
        """Values, their number and the last outputs, as of `forward`, from the vectors of tokens."""
        if self.front_end is not None:
            vectors, lengths = self.front_end(vectors, lengths)
        return self.stack(vectors, lengths)
