"""The interface of inputs, which map a source to the vectors that recurrent layers read."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.front_end import FrontEnd, Shortened
from seq2seq.shapes import Lengths, Source, TimeVectors

Copies = Int[Tensor, "copies source"] | Float[Tensor, "copies source feature"]
Shown = Float[Tensor, "batch source value"]  # fewer than features where these are not all drawn
MakesFrontEnd = Callable[[int], FrontEnd]


class SourceSide(NamedTuple):
    """A source as a model knows it: its number of tokens or features, and what its vectors are to be like.

    `table` makes the embedding of its tokens, or gives the one that is shared with the target.
    """

    size: int
    width: int
    table: Callable[[], Embedding]
    dropout: float = 0.0
    word_dropout: float = 0.0
    shared: bool = False  # whether its table is the target's
    gaps: bool = False  # whether the recurrent layers read gaps between frames beside the vectors


def refuse_words(side: SourceSide) -> None:
    """Raise UserError at options of a side that are of words, where it is of frames."""
    if side.word_dropout:
        raise UserError(f"source_word_dropout must be 0 with frames, which are no words, but is {side.word_dropout}.")
    if side.shared:
        raise UserError("share_embeddings must be false with frames, which have no embedding.")


class InputState(NamedTuple):
    """State of an input between two chunks of streams: what it keeps of tokens or frames, and its dropout's mask."""

    kept: tuple[Tensor, ...]  # batch ...
    mask: Tensor  # batch width: the same for the whole stream


class Input(nn.Module, ABC):
    """Maps a source, `batch source` of ids or `batch source feature` of frames, to vectors, `batch source width`.

    A front end, if there is one, runs over these before the recurrent layers do. Behind each vector stand the gaps of
    its step, where the layers read them.
    """

    frames: ClassVar[bool] = False  # whether sources are frames rather than ids
    gap_size: int = 0  # the number of gaps behind the vector of each step, for recurrent layers that read them
    front_end: FrontEnd | None

    @property
    @abstractmethod
    def width(self) -> int:
        """Width of the vectors."""

    @property
    def output_size(self) -> int:
        """Width of what the recurrent layers read."""
        return self.front_end.output_size if self.front_end else self.width

    @property
    def stride(self) -> int:
        """Number of tokens or frames that one step of the recurrent layers stands for."""
        return self.front_end.stride if self.front_end else 1

    def dropped(self, source: Source) -> Source:
        """The source without the words that training drops; here, as it is."""
        return source

    def prepare(self, source: np.ndarray) -> None:
        """Take in all of the sources to train on, one behind the other, before training; here, nothing is done."""

    @abstractmethod
    def forward(self, source: Source, lengths: Lengths | None = None) -> TimeVectors:
        """Vectors of a source; without lengths, all of it counts."""

    @abstractmethod
    def occluded(self, source: Source) -> Copies:
        """Copies of one source, `1 source ...`, each with another of its places hidden, `source source ...`."""

    @abstractmethod
    def drawn(self, shape: tuple[int, int], random: torch.Generator) -> Source:
        """Random sources of a shape, `batch source`, such as could be read."""

    def shown(self, source: Source) -> Shown | None:
        """Frames as they are drawn, on scales that a model reads; None of tokens."""
        return None

    def shortened(self, vectors: TimeVectors, lengths: Lengths) -> tuple[Shortened, Lengths]:
        """The vectors as the recurrent layers read them, behind a front end if there is one, and their lengths."""
        return (vectors, lengths) if self.front_end is None else self.front_end(vectors, lengths)

    def check_streams(self) -> None:
        """Check that streams can be read in chunks. Raises UserError where a part looks at what is still to come."""
        if self.front_end is not None:
            raise UserError("front_end must be none for streams, but looks at what comes after each token.")

    @abstractmethod
    def start(self, count: int) -> InputState:
        """The state before so many streams."""

    @abstractmethod
    def advance(self, source: Source, lengths: Lengths, state: InputState) -> tuple[TimeVectors, InputState]:
        """Vectors of a chunk of every stream, and the state behind it."""
