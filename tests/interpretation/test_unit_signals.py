"""Signals that units may follow, and classes of pieces."""

import pytest

from seq2seq.errors import UserError
from seq2seq.interpretation.piece_classes import character_class, is_vowel, phone_class
from seq2seq.interpretation.signals import SIGNALS, NamedSignal, ProbedLine, find_signals


def line(text: str, side: str = "source") -> ProbedLine:
    pieces = (*text.split(), "</s>")
    read = pieces if side == "source" else ("<s>", *pieces[:-1])
    return ProbedLine(text, text, side, pieces, read)


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("position", "a b", [0, 1, 2]),
        ("distance_to_end", "a b", [2, 1, 0]),
        ("vowel", "▁k é X AH0 B ɔ ▁", [0, 1, 0, 1, 0, 1, 0, 0]),
        ("bracket_depth", "( f( x ) ) )", [1, 2, 2, 1, 0, 0, 0]),
        ("piece_before", "a b", ["nothing", "a", "b"]),
        ("piece_behind", "a b", ["b", "</s>", "nothing"]),
        ("piece", "a b", ["a", "b", "</s>"]),
        ("character_class", "▁ 7 ! Ü t 中", ["space", "digit", "punctuation", "vowel", "consonant", "letter", "end"]),
        ("phone_class", "AH1 HH ▁NG W q", ["vowel", "fricative", "nasal", "glide", "other", "end"]),
    ],
)
def test_values_of_a_line(name, text, values):
    assert list(SIGNALS[name].of(line(text))) == values


def test_what_target_cells_read_is_no_signal_of_theirs():
    assert SIGNALS["piece_before"].of(line("a b", "target")) is None


def test_a_manner_comes_before_the_first_character():
    assert phone_class("Y") == "glide"
    assert not is_vowel("Y")  # a phone, by ARPAbet
    assert is_vowel("y")
    assert character_class("▁y") == "vowel"


def test_an_unknown_signal_lists_those_there_are():
    with pytest.raises(UserError) as error:
        find_signals(["position", "vowels"], lambda name: None)
    assert str(error.value) == (
        "signals must be of position, distance_to_end, vowel, character_class, phone_class, piece, piece_before, "
        "piece_behind, bracket_depth, or a function of your own as my_package.my_signal, but has vowels."
    )
    with pytest.raises(UserError, match="signals must have each name once, but has vowel 2 times."):
        find_signals(["vowel", "vowel"], lambda name: None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 2], "must give 3 values, one for each step of the source 'a b' and its end, but gives 2."),
        (5, "must give 3 values, one for each step of the source 'a b' and its end, but gives 1."),
        ([1, 2, float("nan")], "must give finite numbers, or text alone, for each step of the source 'a b', but gives "
         "nan."),
        ([1, "b", 2], "must give finite numbers, or text alone, for each step of the source 'a b', but gives 'b'."),
        ([1, None, 2], "must give finite numbers, or text alone, for each step of the source 'a b', but gives None."),
    ],
)  # fmt: skip
def test_values_that_are_no_signal_are_told(values, message):
    with pytest.raises(UserError) as error:
        NamedSignal("mine.stress", lambda line: values).of(line("a b"))
    assert str(error.value) == f"signals: mine.stress {message}"


def test_a_function_that_fails_is_told_with_its_line():
    with pytest.raises(UserError) as error:
        NamedSignal("mine.stress", lambda line: line.pieces[9]).of(line("a b"))
    assert str(error.value) == (
        "signals: mine.stress must give a value for each step of the source 'a b', but raises IndexError: tuple index "
        "out of range."
    )
    assert isinstance(error.value.__cause__, IndexError)


def test_an_own_signal_may_be_silent_and_of_any_numbers():
    signal = NamedSignal("mine.side", lambda line: None if line.side == "target" else (True, 2, 3.5))
    assert signal.of(line("a b", "target")) is None
    assert signal.of(line("a b")) == [1.0, 2.0, 3.5]
