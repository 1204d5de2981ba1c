"""Texts to translate, in whatever holds them: an answer for each, in their order, or one line that says why not."""

from typing import Any

import numpy as np
import pandas
import pytest

import seq2seq
from seq2seq.data.series import Series
from seq2seq.library.lines import line_of, lines_of

WORDS = ["bcd", "a"]
SEVERAL = {
    "list": WORDS,
    "tuple": tuple(WORDS),
    "generator": (word for word in WORDS),
    "array": np.array(WORDS),
    "array of objects": np.array(WORDS, dtype=object),
    "series": pandas.Series(WORDS, index=[7, 3]),
    "index": pandas.Index(WORDS),
    "categories": pandas.Categorical(WORDS),
    "keys": dict.fromkeys(WORDS).keys(),
}
NONE = {
    "list": [],
    "array": np.array([]),
    "array of texts": np.array([], dtype=str),
    "series": pandas.Series([], dtype=str),
    "generator": (word for word in ()),
}
FRAMES = np.ones((2, 3))


@pytest.fixture(scope="module")
def run(finished) -> seq2seq.Run:
    return seq2seq.load(finished)


@pytest.mark.parametrize("form", SEVERAL)
def test_several_are_several_in_whatever_holds_them(form):
    lines, alone = lines_of(SEVERAL[form], "", ())
    assert [line.source for line in lines] == WORDS
    assert not alone


@pytest.mark.parametrize("form", NONE)
def test_none_of_them_is_no_line(form):
    assert lines_of(NONE[form], "", ()) == ([], False)


@pytest.mark.parametrize("given", ["bcd", np.str_("bcd"), np.array("bcd")])
def test_one_by_itself_is_one(given):
    lines, alone = lines_of(given, "", ())
    assert [line.source for line in lines] == ["bcd"]
    assert alone


@pytest.mark.parametrize(("given", "alone"), [(FRAMES, True), ([FRAMES, FRAMES], False)])
def test_frames_are_series_alone_and_in_a_list(given, alone):
    lines, found = lines_of(given, "", ())
    assert found is alone
    assert all(isinstance(line.source, Series) for line in lines)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (pandas.DataFrame({"word": WORDS}), "texts must be one column, but are a table: give one of its columns."),
        (np.array([WORDS]), "texts must be one column, but are a table: give one of its columns."),
        (
            pandas.DataFrame({"x": [1.0, 2.0], "day": ["Mon", "Tue"]}),
            "texts must hold numbers, but holds the text 'Mon': leave such columns out.",
        ),
        ({"bcd": 1}, "texts must be in an order, but are of type dict: give a list."),
        ({"bcd"}, "texts must be in an order, but are of type set: give a list."),
        (np.array(5), "texts must be a text, or several, but is of type int."),
        (None, "texts must be a text, or several, but is of type NoneType."),
        ([b"ab"], "texts[0] must be a text, but is b'ab': decode bytes, as in source.decode()."),
        (["bcd", None], "texts[1] must be a text, but is None: leave out rows that lack one, of a data frame by dro"),
    ],
)
def test_what_holds_no_texts_is_told(given, message):
    with pytest.raises(seq2seq.UserError) as error:
        lines_of(given, "", ())
    assert str(error.value).startswith(message)


def test_a_run_answers_each_of_an_array(run):
    assert run.translate(np.array(WORDS)) == run.translate(WORDS)
    assert run.translate(pandas.Series([], dtype=str)) == []
    assert len(run.translate("bcd", n_best=np.int64(2), decoding="beam")) == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda run: run.translate(FRAMES),
        lambda run: run.translate(["bcd", FRAMES]),
        lambda run: run.score([(FRAMES, "a")]),
        lambda run: run.evaluate([(FRAMES, "a")]),
        lambda run: run.interpret(FRAMES),
    ],
)
def test_a_model_of_texts_reads_no_frames(run, call):
    """A series is a text of its own, by which it is known again: nothing that a model could read."""
    with pytest.raises(seq2seq.UserError, match="must be a text, which this (model|run) reads, but is frames"):
        call(run)


@pytest.mark.parametrize("given", [5, None, WORDS, b"bcd"])
def test_what_is_looked_into_is_one_text(given):
    message = f"^text must be one text, or frames, but is of type {type(given).__name__}\\.$"
    with pytest.raises(seq2seq.UserError, match=message):
        line_of(given)


@pytest.mark.parametrize("given", [True, 0, 1.5, "2", np.float64(2)])
def test_a_number_that_is_none_is_told(run, given: Any):
    with pytest.raises(seq2seq.UserError, match="n_best must be a whole number of at least 1, but is "):
        run.translate("bcd", n_best=given)
