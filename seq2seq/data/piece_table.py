"""Pieces of a SentencePiece model, of what kind they are, and how they are drawn."""

from typing import Any

from seq2seq.data.drawn_pieces import DrawnPieces, MergedPieces, PieceTable, UnigramPieces
from seq2seq.symbols import UNK


def drawn_pieces(serialized: bytes, alpha: float) -> DrawnPieces:
    """Pieces that are drawn by a model: a unigram model's by its probabilities to the power of alpha, or by merges.

    Of byte pairs, alpha is the share of merges that are left out.
    """
    model = _model(serialized)
    kinds = type(model).SentencePiece
    pieces = {
        one.piece: (index, one.score)
        for index, one in enumerate(model.pieces)
        if one.type in (kinds.NORMAL, kinds.USER_DEFINED)
    }
    symbols = [one.piece for one in model.pieces if one.type == kinds.USER_DEFINED]
    is_unigram = model.trainer_spec.model_type == model.trainer_spec.UNIGRAM
    return (UnigramPieces if is_unigram else MergedPieces)(PieceTable(pieces, symbols, UNK), alpha)


def kind_of(serialized: bytes) -> str:
    """The kind of a model's pieces: unigram, bpe, word or char."""
    spec = _model(serialized).trainer_spec
    name: str = spec.ModelType.Name(spec.model_type)
    return name.lower()


def _model(serialized: bytes) -> Any:
    from sentencepiece import sentencepiece_model_pb2  # with protobuf, which little else needs

    proto: Any = sentencepiece_model_pb2
    return proto.ModelProto.FromString(serialized)
