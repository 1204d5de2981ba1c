"""Lists of the tokens of one answer, which were taken for lists of answers."""

import logging
from collections import Counter
from collections.abc import Sequence

from seq2seq.data.text_kind import MOST_SYMBOLS
from seq2seq.errors import shown

logger = logging.getLogger(__name__)


def warn_of_tokens(name: str, lists: Sequence[Sequence[str]]) -> None:
    """Warn where lists of targets, each of which is an answer, look like the tokens of one answer each.

    So they do where a list has one of them twice, all are single words, and most come in other lists, too.
    """
    counts = Counter(text for one in lists for text in one)
    repeating = next((one for one in lists if len(set(one)) < len(one)), None)
    few = len(counts) <= min(MOST_SYMBOLS, counts.total() // 2)
    if repeating is None or not few or any(len(text.split()) > 1 for text in counts):
        return
    twice = next(text for text in repeating if repeating.count(text) > 1)
    logger.warning(
        "%s: each of a list of targets is an answer by itself, but %s has %r twice: where these are the tokens of one "
        "answer, join them, as in ' '.join(target)",
        *(name, shown([*repeating]), twice),
    )
