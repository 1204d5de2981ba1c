"""Named signals that units may follow: a value for each step of a line, computed from its text alone."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.errors import UserError
from seq2seq.interpretation.piece_classes import character_class, is_vowel, phone_class

_OPENING, _CLOSING = "([{<", ")]}>"
BEYOND = "nothing"  # what is before the first piece, and behind the last


@dataclass(frozen=True)
class ProbedLine:
    """A line as the cells of one side go through it: a piece for each step, the end among them.

    `pieces` are those that source cells read or target cells write, `read` those that go into the cells: the same of
    source cells, and the ones before of target cells. `side` is source or target.
    """

    source: str
    target: str
    side: str
    pieces: tuple[str, ...]
    read: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pieces)


Values = Sequence[float] | Sequence[str]  # numbers, or names of classes


@dataclass(frozen=True)
class NamedSignal:
    """A signal: the values of a line, and what says so much of it that nothing would be left of it beside.

    That are some of position, length and piece, which a partial correlation leaves out of what is given then.
    """

    name: str
    values: Callable[[ProbedLine], Any]
    made_of: frozenset[str] = frozenset()

    def of(self, line: ProbedLine) -> Values | None:
        """The values, one for each step; None where the signal says nothing of a side.

        Raises UserError where there are more or fewer, at values that are neither all finite numbers nor all text, and
        where the function itself fails.
        """
        where = f"each step of the {line.side} {getattr(line, line.side)[:40]!r}"
        try:
            found = self.values(line)
        except Exception as error:
            raise UserError(
                f"signals: {self.name} must give a value for {where}, but raises {type(error).__name__}: {error}."
            ) from error
        if found is None:
            return None
        values = list(found) if isinstance(found, Sequence) or hasattr(found, "__iter__") else [found]
        if len(values) != len(line):
            raise UserError(
                f"signals: {self.name} must give {len(line)} values, one for {where} and its end, but gives "
                f"{len(values)}."
            )
        if all(isinstance(value, str) for value in values):
            return values
        numbers = [_number(value) for value in values]
        if not all(map(math.isfinite, numbers)):
            wrong = values[next(place for place, number in enumerate(numbers) if not math.isfinite(number))]
            raise UserError(
                f"signals: {self.name} must give finite numbers, or text alone, for {where}, but gives {wrong!r}."
            )
        return numbers


def _number(value: Any) -> float:
    try:
        return math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        return math.nan


def _position(line: ProbedLine) -> Values:
    return [float(place) for place in range(len(line))]


def _distance_to_end(line: ProbedLine) -> Values:
    return [float(place) for place in reversed(range(len(line)))]


def _vowel(line: ProbedLine) -> Values:
    return [*(float(is_vowel(piece)) for piece in line.pieces[:-1]), 0.0]


def _bracket_depth(line: ProbedLine) -> Values:
    """The number of brackets that are open behind each piece."""
    depth, found = 0, []
    for piece in line.pieces[:-1]:
        for character in piece:
            depth = max(0, depth + (character in _OPENING) - (character in _CLOSING))
        found.append(float(depth))
    return [*found, float(depth)]


def _piece(line: ProbedLine) -> Values:
    return line.pieces


def _piece_before(line: ProbedLine) -> Values | None:
    """The pieces before; None of a target, whose cells read them."""
    if line.side == "target":
        return None
    return (BEYOND, *line.pieces[:-1])


def _piece_behind(line: ProbedLine) -> Values:
    return (*line.pieces[1:], BEYOND)


def _character_class(line: ProbedLine) -> Values:
    return [*map(character_class, line.pieces[:-1]), "end"]


def _phone_class(line: ProbedLine) -> Values:
    return [*map(phone_class, line.pieces[:-1]), "end"]


_OF_PIECE = frozenset({"piece"})
SIGNALS: Mapping[str, NamedSignal] = {
    signal.name: signal
    for signal in (
        NamedSignal("position", _position, frozenset({"position"})),
        NamedSignal("distance_to_end", _distance_to_end, frozenset({"length"})),
        NamedSignal("vowel", _vowel, _OF_PIECE),
        NamedSignal("character_class", _character_class, _OF_PIECE),
        NamedSignal("phone_class", _phone_class, _OF_PIECE),
        NamedSignal("piece", _piece, _OF_PIECE),
        NamedSignal("piece_before", _piece_before),
        NamedSignal("piece_behind", _piece_behind),
        NamedSignal("bracket_depth", _bracket_depth),
    )
}


def find_signals(names: Sequence[str], own: Callable[[str], Callable[[ProbedLine], Any]]) -> list[NamedSignal]:
    """Signals of the names; a name with a dot is of the user's own, which `own` finds.

    Raises UserError at a name that there is not, with those that there are, and at one that comes twice.
    """
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"signals must have each name once, but has {name} {names.count(name)} times.")
        if name not in SIGNALS and "." not in name:
            raise UserError(
                f"signals must be of {', '.join(SIGNALS)}, or a function of your own as my_package.my_signal, but has "
                f"{name}."
            )
    return [SIGNALS[name] if name in SIGNALS else NamedSignal(name, own(name)) for name in names]
