"""Text in and text out while it comes: sources are read unit by unit, targets are said word by word."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq.data.series import Series
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.frame_session import FrameSession
from seq2seq.decoding.search.search import Search
from seq2seq.decoding.simultaneous import Policy, Reader, Session
from seq2seq.translation.said import SayingSession, units_of
from seq2seq.translation.series_session import SeriesSession
from seq2seq.translation.source_text import SourceText

_WORD = re.compile(r"\s*\S+")


@dataclass(frozen=True)
class Answer:
    """An answer to a text of so many `units`; `delays[i]` of them had been read when unit i of the answer was said."""

    text: str
    units: int
    delays: list[int]


class SimultaneousTranslator:
    """A translator of texts that are still being written.

    A unit of a source is a word, or where its pieces are characters, one of these. What is said is never taken back: a
    word of the source is read once white space follows it, and a word of the target is said once it is whole.
    """

    def __init__(self, reader: Reader, policy: Policy, search: Search, tokenizers: Tokenizers) -> None:
        self.reader, self.policy, self.search = reader, policy, search
        self.tokenizers = tokenizers

    def open(self, *, keeps: bool = True) -> "TextSession":
        """A session of one text; it keeps all that it says, or no more than it needs to go on."""
        return TextSession(Session(self.reader, self.policy, self.search), self.tokenizers, keeps=keeps)

    def open_series(self) -> SeriesSession:
        """A session of one series. Raises UserError where the model reads text."""
        return SeriesSession(FrameSession(self.reader, self.policy, self.search), self.tokenizers)

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """Answers to texts that come unit by unit, or to series frame by frame, with how far each was behind."""
        found = []
        for text in texts:
            session: TextSession | SeriesSession
            if isinstance(text, Series):
                session = self.open_series()
                session.feed(text.values)
            else:
                session = self.open()
                session.feed(text)
            session.end()
            found.append(Answer(session.said, session.units, session.delays))
        return found

    def length(self, target: str) -> int:
        """The number of units of a target."""
        return units_of(self.tokenizers.target, target)


class TextSession(SayingSession):
    """A session of one text. `delays[i]` is how many units had been read when unit i of the target was said."""

    def __init__(self, session: Session, tokenizers: Tokenizers, *, keeps: bool = True) -> None:
        super().__init__(tokenizers, keeps=keeps)
        self.session = session
        self.by_characters = tokenizers.source.has_characters_alone
        self.source = SourceText(tokenizers.source)
        self.units = 0

    def feed(self, text: str) -> str:
        """Text that is said now that some more has come."""
        self.source.add(text)
        return "".join([self._read(unit) for unit in self._settled()])

    def end(self) -> str:
        """Text that is left to say once all has come; of a text with nothing in it, nothing."""
        said = "".join([self._read(unit) for unit in self._units(self.source.unread)])
        return said + self._said.say(self.session.end(), self.units, ended=True) if self.units else said

    def _settled(self) -> list[str]:
        """Units that nothing to come can change."""
        unread = self.source.unread
        units = self._units(unread)
        return units if unread[-1:].isspace() and not self.by_characters else units[:-1]

    def _units(self, text: str) -> list[str]:
        if not self.by_characters:
            return [unit for unit in _WORD.findall(text) if unit]
        units: list[str] = []
        for character in text:
            if units and (unicodedata.combining(character) or self._composes(units[-1], character)):
                units[-1] += character
            else:
                units.append(character)
        return units

    def _composes(self, unit: str, character: str) -> bool:
        """Tell whether a unit and a character are another text side by side than each is, as jamo of Hangul are."""
        form = self.source.tokenizer.form
        return not character.isspace() and form(unit + character) != form(unit) + form(character)

    def _read(self, unit: str) -> str:
        """Text that is said now that another unit is read."""
        self.units += 1
        return self._said.say(self.session.feed(self.source.read(unit)), self.units, ended=False)
