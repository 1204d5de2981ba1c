"""Texts that another toolkit has cut or escaped, which tokenizers here need not, and scores should not, see."""

import logging
import re

from seq2seq.data.examples import Splits
from seq2seq.data.series import Series
from seq2seq.data.spreading import spread_over

logger = logging.getLogger(__name__)
_MARKS = {
    "'@@ ', where subword-nmt has cut words": re.compile(r"\S@@(?: |$)"),
    "'▁', where SentencePiece has cut words": re.compile(r"(?:^| )▁\S"),
    "'&quot;' or '@-@', as Moses writes them": re.compile(r"(?:^| )(?:&(?:quot|apos|#91|#93|#124);|@-@)(?= |$|\w)"),
}
_SHARE, _FEW = 0.02, 2  # of targets; in messages of programs a mark may stand for itself now and then
_MOST = 10_000  # targets that are looked at, spread over train


def warn_of_cut_texts(splits: Splits) -> None:
    """Warn of marks in targets of train that say they were cut or escaped: scores would be of these pieces."""
    if isinstance(splits.train[0].source, Series):
        return
    targets = [example.targets[0] for example in spread_over(splits.train, _MOST)]
    for mark, form in _MARKS.items():
        found = [text for text in targets if form.search(text)]
        if len(found) > max(_FEW, _SHARE * len(targets)):
            logger.warning(
                "train: %.0f %% of targets hold %s, such as %r: give texts as they were before, as scores are of what "
                "is written, and words are cut here by the tokenizer",
                *(100 * len(found) / len(targets), mark, found[0][:80]),
            )
