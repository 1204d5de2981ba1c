"""What data hold never steers a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.errors import DivergedError, UserError, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\rb\x07", "a\\rb\\x07"),
        ("a\tb\nc", "a\\tb\\nc"),
        ("\x9b31m\x7f", "\\x9b31m\\x7f"),
        ("\u202ea\u2028", "\\u202ea\\u2028"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_steers_a_terminal_is_shown_escaped(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize("kind", [UserError, DivergedError])
def test_a_message_is_never_as_long_as_what_it_repeats(kind):
    told = str(kind(f"seed must be a number, but is {'x' * 10**6!r}: give one."))
    assert told.startswith("seed must be a number, but is 'xxx")
    assert told.endswith("xxx': give one.")
    assert "characters left out" in told
    assert len(told) < 2400
    assert str(kind("y" * 2400)) == "y" * 2400


@pytest.mark.parametrize("text", ["naïve ευρώπη", "می\u200cخواهم", "tʰ e\u0301", "天地 a\u00a0b", "\\n [b] 😀"])
def test_all_else_stays_as_it_is(text):
    assert printable(text) == text


@given(st.text())
def test_what_is_shown_holds_no_control_character(text):
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in printable(text))
