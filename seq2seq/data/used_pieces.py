"""Tokenizers without the pieces that texts never have."""

from collections.abc import Iterable
from typing import Any

from seq2seq.data.tokenizers import Tokenizer
from seq2seq.errors import UserError
from seq2seq.symbols import EOS


def used_alone(tokenizer: Tokenizer, texts: Iterable[str]) -> tuple[Tokenizer, list[int]]:
    """The tokenizer with those pieces alone that texts need, and the ids that these had.

    All texts are cut as before, which is looked at. Reserved pieces and symbols stay, and so does what others are made
    of: single characters of unigram pieces, and whatever byte pairs may have been merged from. Raises UserError where a
    text would be cut otherwise.
    """
    lines = list(dict.fromkeys(texts))
    before = tokenizer.encode(lines)
    kept = _kept(tokenizer, {index for line in before for index in line})
    smaller = Tokenizer(_without_others(tokenizer.serialized, kept), tokenizer.form)
    if [[kept[index] for index in line] for line in smaller.encode(lines)] != before:
        raise UserError(
            "vocabulary=used needs a tokenizer that cuts the data's texts alike without the pieces that they never "
            "have, but this one does not: use vocabulary=all."
        )
    return smaller, kept


def _kept(tokenizer: Tokenizer, used: set[int]) -> list[int]:
    """Ids of the pieces that stay, in order."""
    model, types = _model(tokenizer.serialized)
    kind, kinds = model.trainer_spec.model_type, model.trainer_spec
    texts = {model.pieces[index].piece for index in used}
    stays = {index for index, one in enumerate(model.pieces) if index <= EOS or one.type != types.NORMAL} | used
    if kind == kinds.UNIGRAM:
        parts = {character for text in texts for character in text}
    else:
        parts = set() if kind != kinds.BPE else {part for text in texts for part in _substrings(text)}
    return sorted(stays | {index for index, one in enumerate(model.pieces) if one.piece in parts})


def _substrings(text: str) -> set[str]:
    return {text[start:end] for start in range(len(text)) for end in range(start + 1, len(text) + 1)}


def _without_others(serialized: bytes, kept: list[int]) -> bytes:
    model, _ = _model(serialized)
    pieces = [model.pieces[index] for index in kept]
    del model.pieces[:]
    model.pieces.extend(pieces)
    model.trainer_spec.vocab_size = len(pieces)
    data: bytes = model.SerializeToString()
    return data


def _model(serialized: bytes) -> tuple[Any, Any]:
    """A SentencePiece model, and the types of its pieces."""
    from sentencepiece import sentencepiece_model_pb2  # with protobuf, which little else needs

    proto: Any = sentencepiece_model_pb2
    return proto.ModelProto.FromString(serialized), proto.ModelProto.SentencePiece
