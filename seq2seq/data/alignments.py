"""Alignments of pairs: which unit of a source belongs to which of its target."""

import re
from dataclasses import dataclass

from seq2seq.errors import UserError

UNITS = ("words", "characters")
_LINK = re.compile(r"(\d+)-(\d+)")
_OF_UNIT = {"words": re.compile(r"\S+"), "characters": re.compile(r"\S")}

Spans = list[tuple[int, int]]


@dataclass(frozen=True)
class Alignment:
    """Links of a pair, each from a unit of its source to one of its target, counted from 0.

    Units of a side are words, which white space parts, or characters, of which white space is none.
    """

    links: tuple[tuple[int, int], ...]
    units: tuple[str, str] = ("words", "words")

    @classmethod
    def read(cls, line: str, units: tuple[str, str], source: str, target: str) -> "Alignment":
        """The alignment of a line such as `0-0 1-2` (Pharaoh's form). Raises UserError if it does not fit the pair."""
        counts = [len(spans(text, unit)) for text, unit in zip((source, target), units, strict=True)]
        links = []
        for word in line.split():
            found = _LINK.fullmatch(word)
            if found is None:
                raise UserError(f"links must be two numbers each, such as 0-0, but one is {word!r}.")
            link = (int(found[1]), int(found[2]))
            for place, count, unit, side in zip(link, counts, units, ("source", "target"), strict=True):
                if place >= count:
                    raise UserError(f"the {side} has {count} {unit}, counted from 0, but {word} names {place}.")
            links.append(link)
        return cls(tuple(dict.fromkeys(links)), units)


def spans(text: str, unit: str) -> Spans:
    """Beginnings and ends of the units of a text."""
    return [found.span() for found in _OF_UNIT[unit].finditer(text)]
