"""What is read from lines of input, and what is written."""

import json

import pytest
import torch

from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.errors import UserError
from seq2seq.translation.formats import FORMATS, read_json, read_text
from seq2seq.translation.line import Line, Translation


def refusal(text: str, number: int = 3) -> str:
    with pytest.raises(UserError) as error:
        read_json(text, number)
    return str(error.value)


# Reading


@pytest.mark.parametrize("text", ["", "a b", ' {"source": 1} ', "\ttab"])
def test_text_is_the_source_as_it_is(text):
    assert read_text(text, 1) == Line(text)


def test_json_has_a_source_and_what_else_is_wanted():
    assert read_json('{"source": "a b"}', 1) == Line("a b")
    assert read_json('{"source": "", "prefix": "x"}', 1) == Line("", "x")
    line = {"source": "a\tb\nc ★", "prefix": "x y", "constraints": ["u v", "w", "", "  "]}
    assert read_json(json.dumps(line), 1) == Line("a\tb\nc ★", "x y", ("u v", "w"))
    assert read_json('{"source": "a", "prefix": "", "constraints": []}', 1) == Line("a")


@pytest.mark.parametrize("text", ["", "  ", "\t"])
def test_an_empty_line_of_json_is_an_empty_source(text):
    assert read_json(text, 1) == Line("")


def test_half_a_surrogate_pair_is_replaced():
    assert read_json(r'{"source": "a\ud83d\ude00b"}', 1) == Line("a\N{GRINNING FACE}b")
    line = read_json(r'{"source": "a\ud83db", "prefix": "\ude00", "constraints": ["\udc80c"]}', 1)
    assert (line.source[0], line.source[-1], line.phrases[0][-1]) == ("a", "b", "c")
    for text in (line.source, line.prefix, *line.phrases):
        assert text.encode("utf-8").decode("utf-8") == text
        assert "\N{REPLACEMENT CHARACTER}" in text


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("a b", "Expecting value: line 1 column 1 (char 0)"),
        ('{"source": "a"', "Expecting ',' delimiter: line 1 column 15 (char 14)"),
        ('{"source": ' + "9" * 5000 + "}", "Exceeds the limit"),
        ("[" * 100_000, "maximum recursion depth exceeded"),
    ],
)
def test_what_is_no_json_is_refused_with_the_line(text, because):
    message = refusal(text)
    assert message.startswith(f"line 3 must be a JSON object, but cannot be read: {because}")
    assert "\n" not in message
    assert len(message) < 250


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        *((text, f"is {text}") for text in ('"a"', "[]", "3", "null")),
        ("{}", "lacks source: {}"),
        ('{"prefix": "a"}', 'lacks source: {"prefix": "a"}'),
        ('{"source": "a", "prefx": "b"}', "has 'prefx': did you mean prefix?"),
        ('{"source": "a", "constraint": ["b"]}', "has 'constraint': did you mean constraints?"),
        ('{"source": "a", "n_best": 3}', "has 'n_best': leave it out."),
        ('{"text": "a"}', "has 'text': did you mean source?"),
    ],
)
def test_what_is_no_such_object_is_refused(text, fault):
    assert refusal(text, 12) == (
        f"line 12 must be a JSON object with source, and prefix and constraints if wanted, but {fault}"
    )


@pytest.mark.parametrize(
    "line",
    [
        {"source": 1},
        {"source": None},
        {"source": ["a"]},
        {"source": "a", "prefix": 2},
        {"source": "a", "prefix": None},
        {"source": "a", "constraints": "b"},
        {"source": "a", "constraints": {"b": "c"}},
        {"source": "a", "constraints": ["b", 3]},
        {"source": "a", "constraints": None},
    ],
)
def test_values_of_other_types_are_refused(line):
    assert refusal(json.dumps(line)) == ("line 3: source and prefix must be texts and constraints a list of texts.")


# Writing


@pytest.fixture
def found(letters) -> list[Translation]:
    """Two translations of one source; the second was cut at the limit."""
    attention = torch.tensor([[0.25, 0.5, 0.25], [0.125, 0.0625, 0.8125]])
    first = Hypothesis([7, 9], -1.25, True, -0.625, [-0.5, -0.25, -0.5], attention)
    second = Hypothesis([8], -2.0, False, -1e-7, [-2.0], attention[:1])
    return [Translation(text, own, "xy", letters) for text, own in (("d\te\nf", first), ("g", second))]


def test_text_is_the_best_on_one_line(found):
    assert FORMATS["text"](1, Line("xy"), found) == "d\te f"
    for text in ("a\r\nb", "a\u2028b", "a\x85b", "a\x0bb", "a\rb"):
        assert FORMATS["text"](1, Line(""), [Translation(text, found[0].hypothesis, "", found[0].tokenizers)]) == "a b"


def test_tsv_has_a_row_for_every_translation(found):
    rows = FORMATS["tsv"](17, Line("xy"), found).split("\n")
    assert [row.split("\t") for row in rows] == [
        ["17", "1", "-1.250000", "-0.625000", "d e f", "1-0 0-1"],
        ["17", "2", "-2.000000", "-0.000000", "g", "1-0"],
    ]


def test_json_has_all_that_is_known(found, letters):
    written = FORMATS["json"](17, Line("xy"), found)
    assert "\n" not in written
    assert json.loads(written) == {
        "line": 17,
        "source": "xy",
        "source_pieces": ["x", "y", "</s>"],
        "translations": [
            {
                "rank": 1,
                "text": "d\te\nf",
                "score": -1.25,
                "rank_score": -0.625,
                "finished": True,
                "pieces": letters.target.pieces([7, 9]),
                "token_scores": [-0.5, -0.25, -0.5],
                "alignment": [1, 0],
                "attention": [[0.25, 0.5, 0.25], [0.125, 0.0625, 0.8125]],
            },
            {
                "rank": 2,
                "text": "g",
                "score": -2.0,
                "rank_score": 0.0,
                "finished": False,
                "pieces": letters.target.pieces([8]),
                "token_scores": [-2.0],
                "alignment": [1],
                "attention": [[0.25, 0.5, 0.25]],
            },
        ],
    }


@pytest.mark.parametrize(("form", "written"), [("text", ""), ("tsv", "2\t1\t0.000000\t0.000000\t\t"), ("json", None)])
def test_an_empty_line_has_an_empty_answer(letters, form, written):
    empty = Translation("", Hypothesis([], 0.0, True), "", letters)
    found = FORMATS[form](2, Line(""), [empty])
    if written is None:
        assert json.loads(found)["translations"][0]["text"] == ""
    else:
        assert found == written
