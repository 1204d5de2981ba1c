"""Sources far longer than any in training are told of, with their lengths, and nothing is where none is known."""

import unicodedata

import numpy as np
import pytest

from seq2seq.data.examples import Example
from seq2seq.data.series import Series
from seq2seq.data.splitting import Fingerprint
from seq2seq.data.text import TextForm
from seq2seq.runs.unknown_examples import warn_of_unknown
from seq2seq.translation.line_stream import LineStream
from seq2seq.translation.overlong import Overlong, warn_of_overlong

ADVICE = "what a model never saw so long it often cuts short or repeats: give it parts of it, or train on such sources"
WORDS = "far longer than any in training, which had at most 4 characters, such as one of"


@pytest.mark.parametrize(("longest", "text", "told"), [(4, "abcdef", 0), (4, "abcdefg", 1), (0, "a" * 100, 0)])
def test_half_as_long_again_is_not_far_longer(longest, text, told):
    overlong = Overlong(longest, TextForm())
    overlong.count([text, ""])
    assert overlong.lines == told


def test_a_stream_tells_of_the_first_and_sums_up(echo, caplog):
    echo.longest = 4
    list(LineStream(echo, buffer=2)([b"ab\n", b"abcabca\n", b"abcabcab\n", b"c\n"]))
    assert caplog.messages == [
        f"a source is {WORDS} 7 characters, 'abcabca': {ADVICE}; said once",
        f"2 lines were {WORDS} 8 characters, 'abcabcab'",
    ]


def test_one_is_told_of_once(caplog):
    warn_of_overlong(4, TextForm(), ["a", "b" * 70])
    assert caplog.messages == [f"a source is {WORDS} 70 characters, {'b' * 60!r}: {ADVICE}; said once"]


def test_examples_are_told_of_by_their_share(echo, caplog):
    echo.longest = 4
    warn_of_unknown("dev", [Example("abcabca", ("a",)), Example("b", ("a",))], echo)
    assert caplog.messages == [f"dev: 1 of 2 sources (50.0 %) are {WORDS} 7 characters, 'abcabca'"]


def test_a_fingerprint_knows_the_longest_source():
    examples = [Example("ab", ("a" * 9,)), Example("abc", ("a",))]
    assert (Fingerprint.of(examples).longest, Fingerprint.of([]).longest) == (3, 0)


def test_texts_are_counted_in_the_form_of_training():
    overlong = Overlong(3, TextForm())
    overlong.count([unicodedata.normalize("NFD", "가나다라"), "  abcd  "])
    assert not overlong.lines


def test_series_have_no_characters():
    assert Fingerprint.of([Example(Series(np.ones((3, 2))), ("a",))]).longest == 0
