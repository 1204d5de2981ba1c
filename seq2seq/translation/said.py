"""Text that has been said of an answer while its source still comes."""

from collections.abc import Sequence

from seq2seq.data.tokenizers import Tokenizer, Tokenizers

LONGEST, KEPT = 256, 64  # tokens: where there are more, text is made of the last so many alone, if it can be
_TRIES = 64  # places to cut at that are looked at


class Said:
    """The text that is said of tokens, which is never taken back, by whole words.

    All of it is kept where it `keeps`, and of each unit how many of the source had been read when it was said; tokens,
    and else what was said of them, up to a place alone from which those behind make the same text.
    """

    def __init__(self, tokenizers: Tokenizers, *, keeps: bool = True) -> None:
        self.tokenizers, self.keeps = tokenizers, keeps
        self.text = ""
        self.delays: list[int] = []
        self._ids: list[int] = []
        self._recent = ""  # what was said of these
        self._before = 0  # units that were said of others
        self._longest = LONGEST

    def say(self, ids: Sequence[int], units: int, *, ended: bool) -> str:
        """The text that some more tokens add, after so many units of the source; at its end, all there is to say."""
        self._ids += ids
        target = self.tokenizers.target
        whole = self._ids if ended else self._ids[: _whole(target, self._ids)]
        text = self._text(whole)
        # What was said stays, even if more pieces would have it otherwise; at the end the rest of the text follows it.
        new = text[len(self._recent) :] if ended or text.startswith(self._recent) else ""
        self._recent += new
        if self.keeps:
            self.text += new
            count = self._before + units_of(target, self._recent)
            self.delays += [units] * (count - len(self.delays))
        if len(self._ids) > self._longest:
            self._forget()
        return new

    def _forget(self) -> None:
        target, whole = self.tokenizers.target, self._text(self._ids)
        pieces, last = target.pieces(self._ids), len(self._ids) - KEPT
        for cut in range(last, max(0, last - _TRIES), -1):
            if not _begins(target, pieces[cut]):
                continue
            left, right = self._text(self._ids[:cut]), self._text(self._ids[cut:])
            gone = len(whole) - len(right)
            if whole[gone:] == right and whole[:gone].strip() == left and self._recent.startswith(whole[:gone]):
                self._before += units_of(target, whole[:gone])
                self._ids, self._recent = self._ids[cut:], self._recent[gone:]
                self._longest = LONGEST
                return
        self._longest = 2 * len(self._ids)

    def _text(self, ids: list[int]) -> str:
        return self.tokenizers.decode([""], [ids])[0]


class SayingSession:
    """A session that says more and more of a text while its source comes."""

    def __init__(self, tokenizers: Tokenizers, *, keeps: bool = True) -> None:
        self._said = Said(tokenizers, keeps=keeps)

    @property
    def said(self) -> str:
        """The text that was said so far; nothing where that is not kept."""
        return self._said.text

    @property
    def delays(self) -> list[int]:
        """The number of units of the source that had come when each unit of the text was said."""
        return self._said.delays


def units_of(tokenizer: Tokenizer, text: str) -> int:
    """The number of characters of a text, where pieces are such, or else of words."""
    return len(text) if tokenizer.has_characters_alone else len(text.split())


def _whole(tokenizer: Tokenizer, ids: list[int]) -> int:
    """The number of tokens that make up whole words, to which none can be added."""
    if tokenizer.has_words_alone or tokenizer.has_characters_alone:
        return len(ids)
    starts = [place for place, piece in enumerate(tokenizer.pieces(ids)) if tokenizer.begins_word(piece)]
    return starts[-1] if starts else 0


def _begins(tokenizer: Tokenizer, piece: str) -> bool:
    """Tell whether text may be cut before a piece."""
    return tokenizer.has_words_alone or tokenizer.has_characters_alone or tokenizer.begins_word(piece)
