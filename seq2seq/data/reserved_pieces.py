"""Names and signs that SentencePiece keeps for itself, and how pieces are learnt from texts that hold them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from seq2seq.symbols import BOS, EOS, PAD, UNK

NAMES = {PAD: "<pad>", UNK: "<unk>", BOS: "<s>", EOS: "</s>"}
_OPTIONS = {PAD: "pad_piece", UNK: "unk_piece", BOS: "bos_piece", EOS: "eos_piece"}
_SIGN = "\u2585"  # SentencePiece learns nothing from a line that has this block
_STAND_IN = "\U0010fffc"  # of private use: what is learnt in its place, and what sets names apart from texts


class ReservedWatch:
    """Look-out for what is reserved, and would not be learnt, in texts that go by."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self.seen = any(map(_holds_reserved, symbols))

    def watched(self, texts: Iterable[str]) -> Iterator[str]:
        """The texts, each looked at."""
        for text in texts:
            self.seen = self.seen or _holds_reserved(text)
            yield text


def _holds_reserved(text: str) -> bool:
    return _SIGN in text or "<" in text and any(name in text for name in NAMES.values())


def set_apart(text: str) -> str:
    """The text as SentencePiece learns from it where reserved pieces are called `names_apart`."""
    return text.replace(_SIGN, _STAND_IN)


def names_apart() -> dict[str, str]:
    """SentencePiece's options that call reserved pieces as no text does."""
    return {option: _STAND_IN + NAMES[index] for index, option in _OPTIONS.items()}


def named(serialized: bytes, symbols: Sequence[str]) -> bytes:
    """The model with texts as they are, and reserved pieces called as ever, but for names that symbols have."""
    from sentencepiece import sentencepiece_model_pb2  # with protobuf, which little else needs

    proto: Any = sentencepiece_model_pb2
    model = proto.ModelProto.FromString(serialized)
    for index, piece in enumerate(model.pieces):
        if index not in NAMES:
            piece.piece = piece.piece.replace(_STAND_IN, _SIGN)
        elif NAMES[index] not in symbols:
            piece.piece = NAMES[index]
            setattr(model.trainer_spec, _OPTIONS[index], NAMES[index])
    data: bytes = model.SerializeToString()
    return data
