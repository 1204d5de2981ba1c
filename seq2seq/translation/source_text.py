"""A source that comes as text, of which no more is kept than its pieces hang on."""

from seq2seq.data.tokenizers import Tokenizer

LONGEST, KEPT = 1024, 256  # characters: where more have been read, all but so many are forgotten, if they can be
_TRIES = 128  # places to cut at that are looked at


class SourceText:
    """Text that comes and is read unit by unit, as the token ids that each adds.

    What has been read is forgotten up to a place where pieces do not change if it is: what was read is cut into the
    same pieces from there on. A text without such a place, as one endless word, is kept.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.kept = ""
        self.place = 0  # in it, behind the last unit that was read
        self._tokens = 0  # of what was read and is kept
        self._longest = LONGEST

    def add(self, text: str) -> None:
        """Take some more text."""
        self.kept += text

    @property
    def unread(self) -> str:
        """The text behind the last unit that was read."""
        return self.kept[self.place :]

    def read(self, unit: str) -> list[int]:
        """The token ids of the next unit, behind those of what was read before."""
        self.place += len(unit)
        (ids,) = self.tokenizer.encode([self.kept[: self.place]])
        new, self._tokens = ids[self._tokens :], max(self._tokens, len(ids))
        if self.place > self._longest and self._tokens == len(ids):
            self._forget(ids)
        return new

    def _forget(self, ids: list[int]) -> None:
        read = self.kept[: self.place]
        for cut in range(len(read) - KEPT, max(0, len(read) - KEPT - _TRIES), -1):
            left, right = self.tokenizer.encode([read[:cut], read[cut:]])
            if left and left + right == ids:
                self.kept, self.place, self._tokens = self.kept[cut:], self.place - cut, len(right)
                self._longest = LONGEST
                return
        self._longest = 2 * self.place  # so that what cannot be cut is not looked at again and again
