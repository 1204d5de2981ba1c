"""Lines out answer lines in, whatever comes, and nothing is read before it is needed."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.errors import UserError
from seq2seq.translation.line_stream import LineStream

UNKNOWN = "⁇"


def translated(translator, lines: list[bytes], **options: Any) -> list[str]:
    return list(LineStream(translator, **{"buffer": 100} | options)(lines))


def lines_of(*texts: str) -> list[bytes]:
    return [f"{text}\n".encode() for text in texts]


class Watched:
    """Lines one by one, and how many have been taken."""

    def __init__(self, count: int, text: str = "ab") -> None:
        self.count, self.text, self.taken = count, text, 0

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.count):
            self.taken += 1
            yield f"{self.text}\n".encode()


# Line i answers line i


@pytest.mark.parametrize("buffer", [1, 2, 5, 7, 8, 100])
def test_line_i_answers_line_i(echo, buffer):
    texts = ["b", "a long line of words", "", "cab", "a", "", "zebra", "b"]
    assert translated(echo, lines_of(*texts), buffer=buffer) == texts


@pytest.mark.parametrize("buffer", [1, 2, 100])
def test_lines_do_not_depend_on_their_company(babbler, buffer):
    texts = ["a b c", "", "f", "d d a b e", "c a", "a", "e f", ""]
    translator = babbler()
    alone = [translator([text])[0] for text in texts]
    assert len(set(alone)) > 2
    assert translated(translator, lines_of(*texts), buffer=buffer) == alone


@pytest.mark.parametrize("buffer", [1, 3, 100])
def test_empty_lines_stay_empty(echo, buffer):
    assert translated(echo, [b"\n"] * 4, buffer=buffer) == [""] * 4
    assert translated(echo, [b"\n", b"ab\n", b"\n"], buffer=buffer) == ["", "ab", ""]


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


@pytest.mark.parametrize("form", ["text", "tsv"])
def test_a_separator_that_is_no_newline_does_not_make_a_line(echo, form):
    found = translated(echo, lines_of("a\u2028b", "c\x85d", "e\x0bf", "g\rh", "ij"), format=form)
    assert len(found) == 5
    assert "ij" in found[-1]
    assert not any("\n" in line for line in found)


# As it comes


@pytest.mark.parametrize("buffer", [1, 2, 7])
def test_no_more_lines_are_read_than_the_buffer_holds(echo, buffer):
    lines, said = Watched(20), 0
    for answer in LineStream(echo, buffer=buffer)(lines):
        said += 1
        assert answer == "ab"
        assert said <= lines.taken < said + buffer
    assert said == 20


def test_a_stream_without_end_is_answered(echo):
    lines = Watched(10**9)
    stream = LineStream(echo, buffer=3)(lines)
    assert [next(stream) for _ in range(10)] == ["ab"] * 10
    assert lines.taken == 12


def test_a_translator_sees_each_buffer_alone(echo):
    echo.batch_size = 100
    translated(echo, lines_of("a", "bb", "c", "d", "e"), buffer=2)
    assert echo.stepper.batches == [(2, 3), (2, 2), (1, 2)]


# Mistakes


@pytest.mark.parametrize("buffer", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("bad", ["nonsense", '{"source": "a", "prefix": "★"}', '{"source": 3}'])
def test_a_mistake_comes_after_all_lines_before_it_are_answered(echo, buffer, bad):
    found = []
    good = ['{"source": "a"}', "", '{"source": "b"}']
    answers = LineStream(echo, buffer=buffer, input="json")(lines_of(*good, bad, '{"source": "never read"}'))
    with pytest.raises(UserError, match=r"^line 4\b"):
        found.extend(answers)
    assert found == ["a", "", "b"]


def test_a_mistake_in_the_first_line(echo):
    with pytest.raises(UserError, match=r"^line 1 must be a JSON object"):
        translated(echo, lines_of("a"), input="json")


def test_lines_are_numbered_through_all_buffers(echo, caplog):
    echo.max_source_tokens = 3
    rows = [row.split("\t")[0] for row in translated(echo, lines_of("a", "b", "c", "defgh"), buffer=3, format="tsv")]
    assert rows == ["1", "2", "3", "4"]
    assert [record.getMessage() for record in caplog.records] == [
        "line 4 has 5 tokens: only the first 3 are read (max_source_tokens)"
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"buffer": 0}, "buffer must be at least 1, but is 0."),
        ({"buffer": -5}, "buffer must be at least 1, but is -5."),
        ({"input": "tsv"}, "input must be one of text, json, but is 'tsv'."),
        ({"format": "xml"}, "format must be one of text, tsv, json, but is 'xml'."),
        (
            {"n_best": 2},
            "n_best must be 1 with format=text, where line i answers line i, but is 2: use format=tsv or json.",
        ),
    ],
)
def test_options_that_do_not_work_are_told(echo, options, message):
    with pytest.raises(UserError) as error:
        LineStream(echo, **options)
    assert str(error.value) == message


# Unknown characters


def test_unknown_characters_are_warned_of_once(echo, caplog):
    caplog.set_level(logging.WARNING, logger="seq2seq")
    lines = lines_of("known", "a★b", "★ and ☆", "☆")
    assert UNKNOWN in translated(echo, lines, buffer=1)[1]
    assert [record.getMessage() for record in caplog.records] == [
        "never seen in training, translated as unknown: '★' (in 'a★b'; said once)",
        "3 lines held what was never seen in training, 4 times in all: '★' 2, '☆' 2",
    ]


def test_a_warning_of_unknown_characters_is_short(echo, caplog):
    translated(echo, lines_of("".join(f"{chr(0x4E00 + place)}a" for place in range(100))))
    (record,) = caplog.records
    assert len(record.getMessage()) < 250
    assert ", ... (in " in record.getMessage()


def test_one_line_of_unknown_characters_is_told_of_once(echo, caplog):
    translated(echo, lines_of("a★b", "known"))
    assert len(caplog.records) == 1


def test_the_most_frequent_ten_are_summed_up_over_all_chunks(echo, caplog):
    texts = [chr(0x4E00 + place) * (20 - place) for place in range(13)]
    translated(echo, lines_of(*texts), buffer=4)
    total = sum(len(text) for text in texts)
    shown = ", ".join(f"'{text[0]}' {len(text)}" for text in texts[:10])
    assert caplog.records[-1].getMessage() == (
        f"13 lines held what was never seen in training, {total} times in all: {shown}, and 3 more"
    )


def test_unknown_words_are_quoted_and_counted_as_words(echo_of, caplog):
    words = TokenizerTrainer(source="word", target="word", joint=True).train([Example("ab ba", ("a b",))])
    translated(echo_of(words), lines_of("aab ab", "aab zebra bbb", "ab"), buffer=8)
    assert [record.getMessage() for record in caplog.records] == [
        "never seen in training, translated as unknown: 'aab' (in 'aab ab'; said once)",
        "2 lines held what was never seen in training, 4 times in all: 'aab' 2, 'zebra' 1, 'bbb' 1",
    ]


def test_what_is_known_in_another_case_is_told(echo_of, caplog):
    upper = TokenizerTrainer(source="char", target="char", joint=True).train([Example("AB BA", ("A B",))])
    translated(echo_of(upper), lines_of("ab", "Ba", "ac", "A"))
    assert [record.getMessage() for record in caplog.records] == [
        "never seen in training, translated as unknown: 'ab' (in 'ab'; said once); all of it is known in upper case, "
        "as 'AB'",
        "3 lines held what was never seen in training, 5 times in all: 'a' 3, 'b' 1, 'c' 1; 2 of these lines are known "
        "in upper case",
    ]


def test_pairs_in_the_place_of_sources_are_told(echo, caplog):
    translated(echo, lines_of("ab\tba", "known"))
    assert [record.getMessage() for record in caplog.records] == [
        r"never seen in training, translated as unknown: '\t' (in 'ab\tba'; said once); of pairs give the sources "
        "alone, as `cut -f1` has them"
    ]


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ('{"source": "ab"}', {}, 1),
        (' {"source": "ab", "id": 3}', {"format": "json"}, 1),
        ('{"source": "ab"}', {"input": "json"}, 0),
        ('{"target": "ab"}', {}, 0),
        ("{source}", {}, 0),
        ('["source"]', {}, 0),
    ],
)
def test_requests_that_are_read_as_text_are_told(echo, caplog, text, options, said):
    translated(echo, lines_of(text, text), buffer=1, **options)
    told = "line 1 is a JSON object with source, but is read as the text to translate: add input=json to read its "
    assert caplog.messages.count(f"{told}source") == said


def test_control_characters_are_warned_of_escaped(echo, caplog):
    translated(echo, lines_of("a\x1b[31m", "b\x07"))
    assert not any(set("\x1b\x07") & set(record.getMessage()) for record in caplog.records)
    assert "\\x1b" in caplog.records[0].getMessage()


def test_known_characters_are_not_warned_of(echo, caplog):
    translated(echo, lines_of("known", "abc 123", ""))
    assert not caplog.records


# Formats


@pytest.mark.parametrize("buffer", [1, 3])
def test_tsv_and_json_tell_what_the_translator_found(babbler, buffer):
    texts = ["a b c", "", "f", "dd"]
    translator = babbler()
    rows = "\n".join(translated(translator, lines_of(*texts), format="tsv", n_best=3, buffer=buffer)).split("\n")
    objects = [
        json.loads(line) for line in translated(translator, lines_of(*texts), format="json", n_best=3, buffer=buffer)
    ]
    assert [one["line"] for one in objects] == [1, 2, 3, 4]
    assert [one["source"] for one in objects] == texts
    assert [len(one["translations"]) for one in objects] == [3, 1, 3, 3]
    assert [one["translations"][0]["text"] for one in objects] == translator(texts)
    flat = [(one["line"], own) for one in objects for own in one["translations"]]
    for row, (number, own) in zip(rows, flat, strict=True):
        columns = row.split("\t")
        assert columns[:2] == [str(number), str(own["rank"])]
        assert [float(column) for column in columns[2:4]] == pytest.approx([own["score"], own["rank_score"]], abs=2e-5)
        assert columns[4] == own["text"]
        assert columns[5] == " ".join(f"{source}-{target}" for target, source in enumerate(own["alignment"]))
        assert len(own["alignment"]) == len(own["pieces"]) == len(own["attention"])
        assert len(own["token_scores"]) == len(own["pieces"]) + own["finished"] * bool(texts[number - 1])


def test_wishes_of_json_lines_are_held(babbler):
    lines = [{"source": "abc"}, {"source": "ab", "prefix": "xy"}, {"source": "b", "constraints": ["q"]}]
    free, prefixed, phrased = translated(babbler(), lines_of(*map(json.dumps, lines)), input="json")
    assert free == babbler()(["abc"])[0]
    assert prefixed.startswith("xy")
    assert "q" in phrased


@pytest.mark.parametrize("n_best", [0, -1])
def test_no_translations_are_refused(echo, n_best):
    with pytest.raises(UserError) as error:
        LineStream(echo, format="json", n_best=n_best)
    assert str(error.value) == f"n_best must be at least 1, but is {n_best}."


# The form of text


def test_marks_and_spaces_at_the_ends_are_no_part_of_a_line_and_changes_are_counted(echo, caplog):
    caplog.set_level(logging.INFO, logger="seq2seq")
    lines = ["\ufeffab".encode(), b" a b \r", "\ufeff c\u00a0".encode(), b"d"]
    assert translated(echo, lines, buffer=2) == ["ab", "a b", "c", "d"]
    assert [record.getMessage() for record in caplog.records] == ["text.form=nfc changed 2 texts, such as ' a b '"]


def test_a_space_that_was_never_seen_is_shown(echo_of, caplog):
    tight = TokenizerTrainer(source="char", target="char", joint=True).train([Example("ab", ("ba",))])
    translated(echo_of(tight), lines_of("a b"))
    assert caplog.records[0].getMessage().startswith("never seen in training, translated as unknown: ' ' (in 'a b'")
