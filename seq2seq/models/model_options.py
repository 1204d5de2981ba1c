"""Options of a model beside its parts."""

from dataclasses import dataclass

from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.frame_embedding import Embedder, FrameEmbedding
from seq2seq.layers.inputs.input import SourceSide


@dataclass(frozen=True)
class ModelOptions:
    """Options of a model beside its parts: embeddings of both sides, what training drops, and what it keeps.

    Tables, and matrices of outputs with them, have a multiple of `vocabulary_multiple` rows: kernels like round sizes.
    Raises UserError below 1.
    """

    embedding_size: int
    share_embeddings: bool = False
    dropout: float = 0.3
    type_dropout: float = 0.0
    source_word_dropout: float = 0.0
    target_word_dropout: float = 0.0
    checkpointing: bool = False
    vocabulary_multiple: int = 1

    def __post_init__(self) -> None:
        if self.vocabulary_multiple < 1:
            raise UserError(f"vocabulary_multiple must be at least 1, but is {self.vocabulary_multiple}.")

    def table(self, vocabulary_size: int) -> Embedding:
        """A new embedding of a vocabulary."""
        return Embedding(
            vocabulary_size,
            self.embedding_size,
            dropout=self.dropout,
            type_dropout=self.type_dropout,
            multiple=self.vocabulary_multiple,
        )

    def frame_table(self, features: int) -> FrameEmbedding:
        """A new embedding of frames that are written. Raises UserError at what is for tokens."""
        for name in ("type_dropout", "target_word_dropout"):
            if value := getattr(self, name):
                raise UserError(f"{name} must be 0 with an output of frames, which are no words, but is {value}.")
        if self.vocabulary_multiple != 1:
            raise UserError(
                f"vocabulary_multiple must be 1 with an output of frames, but is {self.vocabulary_multiple}."
            )
        return FrameEmbedding(features, self.embedding_size, dropout=self.dropout)

    def source_side(self, size: int, target: Embedder) -> SourceSide:
        """The side of a source of so many tokens or features, beside a target's embedding."""

        def table() -> Embedding:
            if not self.share_embeddings:
                return self.table(size)
            if isinstance(target, FrameEmbedding):
                raise UserError("share_embeddings must be false with an output of frames, which are no tokens.")
            if size != target.vocabulary_size:
                raise UserError(
                    "share_embeddings needs one vocabulary for both sides, but they hold "
                    f"{size} and {target.vocabulary_size} tokens: train joint tokenizers."
                )
            return target

        return SourceSide(
            size, self.embedding_size, table, self.dropout, self.source_word_dropout, self.share_embeddings
        )
