"""Text that has been said of an answer while its source still comes."""

from seq2seq.data.tokenizers import Tokenizer, Tokenizers


class Said:
    """The text that was said so far, which is never taken back, by whole words.

    `delays[i]` is how many units of the source had been read when unit i of it was said.
    """

    def __init__(self, tokenizers: Tokenizers) -> None:
        self.tokenizers = tokenizers
        self.text = ""
        self.delays: list[int] = []

    def say(self, source: str, ids: list[int], units: int, *, ended: bool) -> None:
        """Say what tokens make up by now, after so many units of the source; at its end, all of them."""
        target = self.tokenizers.target
        whole = ids if ended else ids[: _whole(target, ids)]
        (text,) = self.tokenizers.decode([source], [whole])
        # What was said stays, even if more pieces would have it otherwise; at the end the rest of the text follows it.
        if text.startswith(self.text):
            self.text = text
        elif ended:
            self.text += text[len(self.text) :]
        self.delays += [units] * (units_of(target, self.text) - len(self.delays))


class SayingSession:
    """A session that says more and more of a text while its source comes; `ids` are those of the target so far."""

    def __init__(self, tokenizers: Tokenizers) -> None:
        self.ids: list[int] = []
        self._said = Said(tokenizers)

    @property
    def said(self) -> str:
        """The text that was said so far."""
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
