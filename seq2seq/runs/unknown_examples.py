"""Examples that a run cannot know: sources with what was never seen, references that no output can equal."""

import logging
from collections.abc import Sequence

from seq2seq.data.examples import Example
from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.tokenizers import Tokenizer
from seq2seq.errors import printable
from seq2seq.translation.overlong import Overlong
from seq2seq.translation.reachability import Unreachable, unreachable
from seq2seq.translation.translator import Translator
from seq2seq.translation.unseen import Unseen

logger = logging.getLogger(__name__)


def _share(count: int, total: int, what: str = "sources") -> str:
    return f"{count:,} of {total:,} {what} ({100 * count / total:.1f} %)"


def _warn_of_unseen(name: str, unseen: Unseen, total: int, what: str) -> None:
    if unseen.first is not None:
        share, found = _share(unseen.lines, total, what), printable(unseen.first.quoted())
        logger.warning("%s: %s hold what was never seen in training, such as %s", name, share, found)


def warn_of_unknown_text(name: str, examples: Sequence[Example], tokenizer: Tokenizer) -> None:
    """Warn of lines of documents, which a language model reads, that hold what was never seen in training."""
    lines = [line for example in examples for text in example.targets for line in text.split("\n") if line]
    unseen = Unseen(tokenizer)
    unseen.count(lines)
    _warn_of_unseen(name, unseen, len(lines), "lines")


def warn_of_unknown(name: str, examples: Sequence[Example], translator: Translator) -> Unreachable:
    """Warn of sources that hold what was never seen in training, and of references that no output can equal.

    Scores on these say less of the model than of its vocabulary. Returns the references; none where words of the source
    take the place of what is unknown, and may be what the vocabulary lacks.
    """
    tokenizers = translator.tokenizers
    if not isinstance(tokenizers.source, FrameReader):
        unseen, overlong = Unseen(tokenizers.source), Overlong(translator.longest, tokenizers.source.form)
        for counter in (unseen, overlong):
            counter.count([example.source for example in examples])
        _warn_of_unseen(name, unseen, len(examples), "sources")
        if overlong.lines:
            logger.warning("%s: %s are %s", name, _share(overlong.lines, len(examples)), printable(overlong.quoted()))
    if translator.replace_unknown:
        return Unreachable(0, 0)
    out_of_reach = unreachable(
        examples, tokenizers, translator.search.length, max_source_tokens=translator.max_source_tokens
    )
    if out_of_reach.count:
        logger.warning("%s: %s", name, out_of_reach)
    return out_of_reach
