"""Labels, or frames, that no decoder reads, as far as an output has to know of them."""

from typing import NoReturn

from torch import nn

from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.frame_embedding import FrameEmbedding
from seq2seq.layers.inputs.normalization import Normalization


class Labels(Embedding):
    """A vocabulary without vectors: nothing reads its tokens. Raises UserError where something asks for these."""

    def __init__(self, vocabulary_size: int) -> None:
        nn.Module.__init__(self)
        self.vocabulary_size = vocabulary_size

    @property
    def rows(self) -> int:
        """Number of tokens."""
        return self.vocabulary_size

    @property
    def size(self) -> int:
        """Width of vectors, which there are none of: raises UserError."""
        _refuse()

    @property
    def table(self) -> nn.Embedding:  # type: ignore[override]
        """Table of vectors, which there are none of: raises UserError."""
        _refuse()


class FrameValues(FrameEmbedding):
    """The number of values of frames that nothing reads, and how they are normalised."""

    def __init__(self, features: int) -> None:
        nn.Module.__init__(self)
        self.vocabulary_size = features
        self.normalization = Normalization(features, "standard")


def _refuse() -> NoReturn:
    raise UserError("output must be full or adaptive for a tagger, whose labels have no vectors, but needs some.")
