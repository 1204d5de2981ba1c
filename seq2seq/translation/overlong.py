"""Sources far longer than any that a model saw in training."""

import logging
from collections.abc import Sequence

from seq2seq.data.text import TextForm

logger = logging.getLogger(__name__)
_FAR = 1.5  # times the longest in training
_SHOWN = 60
_ADVICE = "what a model never saw so long it often cuts short or repeats: give it parts of it, or train on such sources"


class Overlong:
    """Counts sources far longer than any in training: warned of at the first, and summed up at the end.

    `longest` is the number of characters of the longest source in training; where it is 0, nothing is known of it.
    Texts are counted in the `form` that training read.
    """

    def __init__(self, longest: int, form: TextForm) -> None:
        self.longest, self.form = longest, form
        self.lines = 0
        self.example = ""  # the longest of them

    def add(self, texts: Sequence[str]) -> None:
        """Count those of the texts that are far longer, and warn of the first that are."""
        before = self.lines
        self.count(texts)
        if self.lines and not before:
            logger.warning("a source is %s: %s; said once", self.quoted(), _ADVICE)

    def count(self, texts: Sequence[str]) -> None:
        """Count those of the texts that are far longer."""
        for text in map(self.form, texts) if self.longest else ():
            if len(text) > _FAR * self.longest:
                self.lines += 1
                self.example = max(self.example, text, key=len)

    def sum_up(self) -> None:
        """Tell how many lines there were, if there is more to tell than the warning did."""
        if self.lines > 1:
            logger.warning("%s lines were %s", f"{self.lines:,}", self.quoted())

    def quoted(self) -> str:
        """The words on how long they are, and the longest of them."""
        found = f"{len(self.example):,} characters, {self.example[:_SHOWN]!r}"
        return f"far longer than any in training, which had at most {self.longest:,} characters, such as one of {found}"


def warn_of_overlong(longest: int, form: TextForm, sources: Sequence[str]) -> None:
    """Warn of sources far longer than any in training, at once; see `Overlong`."""
    overlong = Overlong(longest, form)
    overlong.add(sources)
    overlong.sum_up()
