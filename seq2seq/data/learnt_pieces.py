"""Learning of a SentencePiece model."""

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sentencepiece

from seq2seq.data.normalization import REVERSIBLE, rule_of
from seq2seq.data.piece_options import PieceOptions
from seq2seq.data.reserved_pieces import ReservedWatch, named, names_apart, set_apart
from seq2seq.data.space_mark import SPACE, hidden
from seq2seq.data.unlearnt import explained
from seq2seq.errors import UserError
from seq2seq.symbols import BOS, EOS, PAD, UNK

Texts = Callable[[], Iterator[str]]
_UNLIMITED = 2**22  # more words than any output layer can take


def learnt_pieces(
    texts: Texts,
    kind: str,
    size: int | None,
    *,
    symbols: Sequence[str] = (),
    options: PieceOptions,
    exact_size: bool,
    sides: Sequence[str],
) -> bytes:
    """The serialised model of a kind and size that is learnt from texts, which are read once or twice.

    SentencePiece learns nothing of what its own pieces are called, and leaves out lines with a sign of its own. Where
    texts hold such, they are read again under other names. Raises UserError where kind or size does not fit the texts.
    """
    symbols = [hidden(symbol).replace(" ", SPACE) for symbol in symbols]
    own: dict[str, Any] = {
        "model_type": kind,
        # Pieces of a word model begin at spaces, so every word needs one before it; characters do not.
        "add_dummy_prefix": kind != "char",
        "character_coverage": options.character_coverage,
        "remove_extra_whitespaces": options.normalization not in REVERSIBLE,
        # Not use_all_vocab where there is no size: character_coverage would do nothing.
        "vocab_size": size or _UNLIMITED,
        "hard_vocab_limit": exact_size and size is not None,
    }
    try:
        with rule_of(options.normalization) as rule:
            return _learnt(texts, symbols, **own, **rule)
    except (RuntimeError, OSError) as error:
        raise UserError(explained(str(error), kind, size, sides)) from None


def _learnt(texts: Texts, symbols: Sequence[str], **own: Any) -> bytes:
    watch = ReservedWatch(symbols)
    if not watch.seen:
        try:
            model = _trained(watch.watched(map(hidden, texts())), symbols, **own)
        except RuntimeError:
            if not watch.seen:  # else there may be enough to learn from where all is read
                raise
    if watch.seen:
        apart = map(set_apart, map(hidden, texts()))
        model = named(_trained(apart, [*map(set_apart, symbols)], **own, **names_apart()), symbols)
    return model


def _trained(texts: Iterator[str], symbols: Sequence[str], **options: Any) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=texts,
        model_writer=model,
        user_defined_symbols=symbols,
        max_sentence_length=1 << 20,
        num_threads=1,  # the scores depend on it, and equal seeds must give equal runs
        pad_id=PAD,
        unk_id=UNK,
        bos_id=BOS,
        eos_id=EOS,
        minloglevel=2,
        **options,
    )
    return model.getvalue()
