"""Random strings to copy."""

import random
from collections.abc import Sequence

from seq2seq.data.augmentation.augmentation import Augmentation, Pair, letters_in_common, refuse_two_alphabets
from seq2seq.data.examples import Example
from seq2seq.errors import UserError


class Copying(Augmentation):
    """Random strings, each answered by itself (Bergmanis et al. 2017): what is unknown is copied.

    A string is as long as the target of the pair that it is made for, of letters that both sides share. `tag` comes
    before the source, so that the task is told from the other; it must be one of the tokenizer's symbols. Raises
    UserError at a tag that is empty or has white space.
    """

    def __init__(self, *, amount: float = 1.0, tag: str | None = "<copy>") -> None:
        super().__init__(amount=amount)
        if tag is not None and (not tag or any(character.isspace() for character in tag)):
            raise UserError(f"tag must be a word, or null for none, but is {tag!r}.")
        self.tag = tag
        self._letters: list[str] = []

    def learn(self, examples: Sequence[Example]) -> None:
        refuse_two_alphabets(examples)
        self._letters = letters_in_common(examples)

    def made(self, pair: Pair, draw: random.Random) -> Pair | None:
        text = "".join(draw.choices(self._letters, k=max(len(pair[1]), 1)))
        return (text if self.tag is None else f"{self.tag}{text}"), text
