"""Pairs of frames are taken as users have them: arrays, tensors, tables and lists, or one line says why not."""

import re

import numpy as np
import pandas
import pytest
import torch

import seq2seq
from seq2seq.data.series import Series, as_series
from seq2seq.errors import UserError
from seq2seq.library.pairs import examples_of

FRAMES = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    "given",
    [
        torch.from_numpy(FRAMES),
        torch.tensor(FRAMES, dtype=torch.bfloat16, requires_grad=True),
        torch.tensor(FRAMES, dtype=torch.int32),
        FRAMES.tolist(),
        FRAMES.astype(object),
        FRAMES.astype(">f4"),
        pandas.DataFrame(FRAMES),
        list(FRAMES.astype(int).tolist()),
    ],
    ids=["tensor", "bfloat16", "whole", "lists", "objects", "other bytes", "table", "lists of whole numbers"],
)
def test_frames_are_the_same_in_whatever_they_come(given):
    (example,) = examples_of([(given, "a")])
    assert isinstance(example.source, Series)
    np.testing.assert_array_equal(example.source.values, FRAMES)


def test_what_a_masked_array_hides_is_missing():
    hidden = np.ma.masked_array(FRAMES, FRAMES > 9)
    np.testing.assert_array_equal(as_series(hidden, "x").values, np.where(FRAMES > 9, np.nan, FRAMES))
    whole = np.ma.masked_array(FRAMES.astype(int), FRAMES > 9)
    np.testing.assert_array_equal(as_series(whole, "x").values, np.where(FRAMES > 9, np.nan, FRAMES))


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (1, ["1"]),
        (np.int8(1), ["1"]),
        (torch.tensor(1), ["1"]),
        (np.array(1), ["1"]),
        (np.bool_(True), ["True"]),
        (["a", "b"], ["a", "b"]),
        (np.array(["a", "b"]), ["a b"]),
        (np.array(["a", "b"], dtype=object), ["a b"]),
        (pandas.Series(["a", "b"]), ["a b"]),
    ],
)
def test_labels_are_taken_as_they_come(target, wanted):
    (example,) = examples_of([(FRAMES, target)])
    assert [str(one) for one in example.targets] == wanted


@pytest.mark.parametrize("target", [2.5, np.float32(2.5), torch.tensor(2.5), torch.tensor([[2.5]]), np.array([2.5])])
def test_a_number_that_is_no_label_is_a_frame(target):
    (example,) = examples_of([(FRAMES, target)])
    assert example.targets[0].values.tolist() == [[2.5]]


def test_tensors_are_columns_too():
    given = {"source": torch.arange(24.0).view(3, 4, 2), "target": torch.tensor([0, 1, 0])}
    assert [[str(one) for one in example.targets] for example in examples_of(given)] == [["0"], ["1"], ["0"]]
    assert len(seq2seq.windows(torch.zeros(5, 2), past=2, future=1)) == 3


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((FRAMES, None), "pairs[0] must have a text, a number or an array as its target, but has None."),
        (FRAMES, "pairs[0] must be a source and a target, but is one array: give {'source': X, 'target': Y}."),
        ((FRAMES, np.array(["a b", "c"])), "pairs[0], label 1 must be one word, but is 'a b'."),
        ((FRAMES, np.array(["a", ""])), "pairs[0], label 2 must be one word, but is ''."),
        (([[1.0], [1.0, 2.0]], "a"), "pairs[0] must have as many features in each frame, but has lists of unlike"),
        (
            (pandas.DataFrame({"x": [1], "who": ["bob"]}), "a"),
            "pairs[0] must hold numbers, but holds the text 'bob': leave such columns out.",
        ),
        ((FRAMES.astype(str), "a"), "pairs[0] must hold numbers, but holds the text '0.0': leave such columns out."),
    ],
)
def test_what_is_no_pair_is_told(row, message):
    with pytest.raises(UserError, match=re.escape(message)):
        examples_of([row])
