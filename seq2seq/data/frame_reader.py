"""Reading of series of frames, where tokenizers read text."""

import json
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from seq2seq.data.frame_sequences import FrameSequences, TargetFrameSequences
from seq2seq.data.sequences import TokenSequences
from seq2seq.data.series import Series
from seq2seq.data.text import TextForm
from seq2seq.data.tokenizers import Tokenizer
from seq2seq.errors import UserError
from seq2seq.finite import strict_json
from seq2seq.symbols import EOS

_FIRST = EOS + 1
_MARK = b'{"frames"'  # no SentencePiece model begins so


class FrameReader(Tokenizer):
    """Reads series of a number of features; as ids, frames are their numbers behind the reserved ones.

    Where values may not be `missing`, series that lack some are refused, by place. Where they are `timed`, the gap
    before each frame comes behind its features, as one more.
    """

    side: ClassVar[str] = "source"
    uses: ClassVar[str] = "reads"
    advice: ClassVar[str] = "fill it, or train with imputation by carry_forward, mean, interpolation or decay."

    def __init__(self, features: int, *, missing: bool, timed: bool = False) -> None:
        self.features, self.missing, self.timed = features, missing, timed
        self.form = TextForm()
        self.serialized = strict_json({"frames": features, "missing": missing, "timed": timed}).encode()

    @classmethod
    def is_serialized(cls, data: bytes) -> bool:
        """Tell whether bytes are of a reader rather than of a tokenizer."""
        return data.startswith(_MARK)

    @classmethod
    def restored(cls, data: bytes) -> "FrameReader":
        """The reader of serialised bytes. Raises UserError at others."""
        try:
            found = json.loads(data)
            features, flags = found["frames"], (found["missing"], found.get("timed", False))
        except (ValueError, KeyError, TypeError, AttributeError):
            features, flags = None, (None, None)
        if type(features) is not int or [*map(type, flags)] != [bool, bool] or not 0 < features < 1 << 20:
            raise UserError("tokenizers.source must be that of frames, but is not.")
        return cls(features, missing=flags[0], timed=flags[1])

    @property
    def size(self) -> int:
        """The number of features, the gap of those that are timed counted."""
        return self.features + self.timed

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Numbers of the frames of each series, behind those that mean something else."""
        return [list(range(_FIRST, _FIRST + len(self.checked(text).values))) for text in texts]

    def sequences(self, texts: Sequence[str]) -> FrameSequences:
        """The frames of series. Raises UserError at what cannot be read."""
        return FrameSequences.from_series([self.checked(text) for text in texts], self.features, timed=self.timed)

    def checked(self, text: str) -> Series:
        """The text, which is a series that can be read. Raises UserError if it is not."""
        if not isinstance(text, Series):
            raise UserError(
                f"a {self.side} must be frames, which this model {self.uses}, but is the text {text[:40]!r}."
            )
        if (features := text.values.shape[1]) != self.features:
            raise UserError(
                f"{text.place} must have {self.features} features, as the data to train on, but has {features}."
            )
        if not self.missing and (gaps := np.argwhere(np.isnan(text.values))).size:
            row, feature = gaps[0].tolist()
            raise UserError(f"{text.place}, frame {row + 1}, feature {feature + 1} has no value: {self.advice}")
        return text

    def sample(self, texts: Sequence[str], alpha: float, seed: int) -> list[list[int]]:
        """Numbers of the frames: there is one way to read them."""
        return self.encode(texts)

    def decode(self, ids: Sequence[list[int]]) -> list[str]:
        """Lists of numbers, as text."""
        return [" ".join(self.pieces(numbers)) for numbers in ids]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Numbers of frames, as text, from 1."""
        return [str(number - _FIRST + 1) for number in ids]

    def surface(self, text: str) -> list[str]:
        return self.pieces(self.encode([text])[0])

    def unknown(self, text: str) -> list[str]:
        return []


class FrameWriter(FrameReader):
    """Reads targets that are series, as a model is to write them: of a number of features, without missing values.

    `horizon` is the number of frames that every target to train on has; None where they differ.
    """

    side = "target"
    uses = "writes"
    advice = "fill it, or leave the series out."

    def __init__(self, features: int, horizon: int | None) -> None:
        super().__init__(features, missing=False)
        self.horizon = horizon
        self.serialized = strict_json({"frames": features, "horizon": horizon}).encode()

    @classmethod
    def restored(cls, data: bytes) -> "FrameWriter":
        """The reader of serialised bytes. Raises UserError at others."""
        try:
            found = json.loads(data)
            features, horizon = found["frames"], found["horizon"]
        except (ValueError, KeyError, TypeError):
            features, horizon = None, 0
        if type(features) is not int or not 0 < features < 1 << 20:
            raise UserError("tokenizers.target must be that of frames, but is not.")
        if horizon is not None and (type(horizon) is not int or horizon < 1):
            raise UserError("tokenizers.target must be that of frames, but is not.")
        return cls(features, horizon)

    def sequences(self, texts: Sequence[str]) -> FrameSequences:
        """The frames of series, to be learnt. Raises UserError at what cannot be read."""
        return TargetFrameSequences.from_series([self.checked(text) for text in texts], self.features)


def source_sequences(tokenizer: Tokenizer, texts: Sequence[str]) -> TokenSequences:
    """Sources as they are batched: frames of series, or else token ids of texts."""
    return (
        tokenizer.sequences(texts)
        if isinstance(tokenizer, FrameReader)
        else TokenSequences.from_ids(tokenizer.encode(texts))
    )
