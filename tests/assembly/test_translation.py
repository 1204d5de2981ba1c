"""Lines out answer lines in, whatever comes."""

import logging

import pytest

from seq2seq.assembly.run import load_run
from seq2seq.assembly.translation import build_translator, translate_lines
from seq2seq.decoding.greedy import GreedySearch
from seq2seq.decoding.translator import Translator
from seq2seq.errors import UserError

UNKNOWN = "⁇"


@pytest.fixture
def trained(finished) -> Translator:
    run = load_run(finished)
    return Translator(run.model, run.tokenizers, GreedySearch())


def translated(translator: Translator, lines: list[bytes], buffer: int = 100) -> list[str]:
    return list(translate_lines(translator, lines, buffer=buffer))


def lines_of(*texts: str) -> list[bytes]:
    return [f"{text}\n".encode() for text in texts]


@pytest.mark.parametrize("buffer", [1, 2, 5, 7, 100])
def test_line_i_answers_line_i(echo, buffer):
    texts = ["b", "a long line of words", "", "cab", "a", "", "zebra", "b"]
    assert translated(echo, lines_of(*texts), buffer) == texts


@pytest.mark.parametrize("buffer", [1, 2, 100])
def test_a_trained_models_lines_do_not_depend_on_their_company(trained, buffer):
    texts = ["a b c", "", "f", "d d a b e", "c a", "a", "e f", ""]
    alone = [trained([text])[0] if text else "" for text in texts]
    assert len(set(alone)) > 2
    assert translated(trained, lines_of(*texts), buffer) == alone


@pytest.mark.parametrize("buffer", [1, 3, 100])
def test_empty_lines_stay_empty(echo, buffer):
    assert translated(echo, [b"\n"] * 4, buffer) == [""] * 4
    assert translated(echo, [b"\n", b"ab\n", b"\n"], buffer) == ["", "ab", ""]


def test_lines_of_spaces_are_empty(echo):
    assert translated(echo, lines_of("  ", "ab", "\t")) == ["", "ab", ""]


def test_nothing_in_nothing_out(echo):
    assert translated(echo, []) == []


def test_a_last_line_without_an_end_and_lines_of_windows_count(echo):
    assert translated(echo, [b"ab\r\n", b"\r\n", b"cd"]) == ["ab", "", "cd"]


def test_bytes_that_are_not_utf8_leave_the_rest_of_their_line(echo):
    first, second, third = translated(echo, [b"ab\n", b"cut\xff\xfehere\n", b"cd\n"])
    assert (first, third) == ("ab", "cd")
    assert second.startswith("cut")
    assert second.endswith("here")


def test_a_separator_that_is_no_newline_does_not_make_a_line(echo):
    found = translated(echo, lines_of("a\u2028b", "c\x85d", "e\x0bf", "g\rh", "ij"))
    assert len(found) == 5
    assert found[-1] == "ij"
    assert not any("\n" in line for line in found)


def test_unknown_characters_are_warned_of_once(echo, caplog):
    caplog.set_level(logging.WARNING, logger="seq2seq")
    lines = lines_of("known", "a★b", "★ and ☆", "☆")
    assert UNKNOWN in translated(echo, lines, buffer=1)[1]
    assert [record.getMessage() for record in caplog.records] == [
        "never seen in training, translated as unknown: '★' (in 'a★b'; said once)"
    ]


def test_known_characters_are_not_warned_of(echo, caplog):
    translated(echo, lines_of("known", "abc 123", ""))
    assert not caplog.records


def test_lines_come_as_soon_as_the_buffer_is_full(echo):
    taken = []

    def stream():
        for line in lines_of("a", "b", "c", "d"):
            taken.append(line)
            yield line

    found = translate_lines(echo, stream(), buffer=2)
    assert next(found) == "a"
    assert len(taken) == 2
    assert list(found) == ["b", "c", "d"]


@pytest.mark.parametrize("buffer", [0, -5])
def test_a_buffer_must_hold_a_line(echo, buffer):
    with pytest.raises(UserError) as error:
        translated(echo, lines_of("a"), buffer)
    assert str(error.value) == f"buffer must be at least 1, but is {buffer}."


def test_a_config_describes_the_translator(config_of, finished, trained):
    config = config_of("translate", f"run={finished}", "batch_size=3", "device=cpu", "decoding.max_length_extra=1")
    translator = build_translator(config)
    assert translator.batch_size == 3
    assert translator.search.max_length_extra == 1
    texts = ["a b", "c"]
    assert translator(texts) == trained(texts)


def test_a_batch_must_hold_a_sentence(config_of, finished):
    with pytest.raises(UserError) as error:
        build_translator(config_of("translate", f"run={finished}", "batch_size=0"))
    assert str(error.value) == "batch_size must be at least 1, but is 0."
