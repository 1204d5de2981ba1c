"""Stand-in that tells an output of labels, or of frames, that no decoder reads."""

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
        """Width of vectors, which is refused, as there are none."""
        _refuse()

    @property
    def table(self) -> nn.Embedding:  # type: ignore[override]
        """Table of vectors, which is refused, as there is none."""
        _refuse()


class FrameValues(FrameEmbedding):
    """The number of values of frames that nothing reads, and how they are normalised."""

    def __init__(self, features: int) -> None:
        nn.Module.__init__(self)
        self.vocabulary_size = features
        self.normalization = Normalization(features, "standard")


def _refuse() -> NoReturn:
    raise UserError("output must be full or adaptive for a tagger, whose labels have no vectors, but needs some.")
