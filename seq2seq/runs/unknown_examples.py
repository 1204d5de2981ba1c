"""Examples that a run cannot know: sources with what was never seen, references that no output can equal."""

import logging
from collections.abc import Sequence

from seq2seq.data.examples import Example
from seq2seq.data.frame_reader import FrameReader
from seq2seq.errors import printable
from seq2seq.translation.overlong import Overlong
from seq2seq.translation.reachability import Unreachable, unreachable
from seq2seq.translation.translator import Translator
from seq2seq.translation.unseen import Unseen

logger = logging.getLogger(__name__)


def _share(count: int, examples: Sequence[Example]) -> str:
    return f"{count:,} of {len(examples):,} sources ({100 * count / len(examples):.1f} %)"


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
        if unseen.first is not None:
            share, found = _share(unseen.lines, examples), printable(unseen.first.quoted())
            logger.warning("%s: %s hold what was never seen in training, such as %s", name, share, found)
        if overlong.lines:
            logger.warning("%s: %s are %s", name, _share(overlong.lines, examples), printable(overlong.quoted()))
    if translator.replace_unknown:
        return Unreachable(0, 0)
    out_of_reach = unreachable(
        examples, tokenizers, translator.search.length, max_source_tokens=translator.max_source_tokens
    )
    if out_of_reach.count:
        logger.warning("%s: %s", name, out_of_reach)
    return out_of_reach
