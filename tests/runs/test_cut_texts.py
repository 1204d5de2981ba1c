"""Texts that another toolkit has cut are told to be given as they were."""

import numpy as np
import pytest

from seq2seq.data.examples import Example, Splits
from seq2seq.data.series import Series
from seq2seq.runs.cut_texts import warn_of_cut_texts


def told(caplog, *targets):
    examples = [Example(f"s{number}", (text,)) for number, text in enumerate(targets)]
    warn_of_cut_texts(Splits(examples, examples))
    return caplog.messages


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("the un@@ known word", "'@@ ', where subword-nmt has cut words"),
        ("a un@@", "'@@ ', where subword-nmt has cut words"),
        ("▁the ▁un known", "'▁', where SentencePiece has cut words"),
        ("he said &quot; no &quot; .", "'&quot;' or '@-@', as Moses writes them"),
        ("it &apos;s", "'&quot;' or '@-@', as Moses writes them"),
        ("well @-@ known", "'&quot;' or '@-@', as Moses writes them"),
    ],
)
def test_marks_of_other_tools_are_told_with_an_example(caplog, text, mark):
    assert told(caplog, "plain", *[text] * 3) == [
        f"train: 75 % of targets hold {mark}, such as {text!r}: give texts as they were before, as scores are of what "
        "is written, and words are cut here by the tokenizer"
    ]


@pytest.mark.parametrize(
    "texts",
    [
        ["plain", "user@@host", "@@", "a @ b", "title=&quot;x&quot;", "<b>&amp;</b>", "e@-@f", "P H O N"] * 3,
        ["un@@ known"] * 2 + ["plain"] * 9,  # too few to say anything
        ["un@@ known"] * 3 + ["plain"] * 999,
        ["a▁b"] * 9,
    ],
)
def test_texts_as_they_are_are_not(caplog, texts):
    assert told(caplog, *texts) == []


def test_frames_are_not_looked_at(caplog):
    examples = [Example(Series(np.ones((2, 1))), ("a@@ b",))] * 9
    warn_of_cut_texts(Splits(examples, examples))
    assert not caplog.records
