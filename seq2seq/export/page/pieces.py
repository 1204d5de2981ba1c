"""Tokenizers as tables that the page's script can do with."""

from typing import Any

from seq2seq.data.tokenizers import Tokenizer, Tokenizers
from seq2seq.errors import UserError

_SYMBOL = 4


def tables(tokenizers: Tokenizers) -> dict[str, Any]:
    """Pieces of both sides, and how a source is cut into them, in plain types.

    Raises UserError at sources that are cut, or changed before it, in a way that the script does not know. Targets are
    only put together, so that they may be of any kind.
    """
    source, target = _model(tokenizers.source), _model(tokenizers.target)
    kind = tokenizers.source.kind
    if kind not in ("char", "word"):
        raise UserError(
            f"to=page cuts sources into characters or words, but this run's are cut by {kind}: train with "
            "source=char, or choose to=onnx."
        )
    if rule := _rule(source):
        raise UserError(
            f"to=page takes sources as they are, but this run's tokenizer has normalization={rule}: train with "
            "normalization=identity, or choose to=onnx."
        )
    return {
        "form": tokenizers.source.form.form,
        "source": {
            "kind": kind,
            "pieces": [piece.piece for piece in source.pieces],
            "symbols": [piece.piece for piece in source.pieces if piece.type == _SYMBOL],
        },
        "target": {
            "pieces": [piece.piece for piece in target.pieces],
            "unknown": target.trainer_spec.unk_surface,
        },
    }


def _model(tokenizer: Tokenizer) -> Any:
    from sentencepiece import sentencepiece_model_pb2  # with protobuf, which nothing else needs

    proto: Any = sentencepiece_model_pb2
    return proto.ModelProto.FromString(tokenizer.serialized)


def _rule(model: Any) -> str:
    """The name of what a tokenizer does to text before it cuts it; empty where that is nothing."""
    spec = model.normalizer_spec
    changes = spec.precompiled_charsmap or spec.remove_extra_whitespaces
    return (spec.name if spec.name not in ("", "identity") else "nfd") if changes else ""
