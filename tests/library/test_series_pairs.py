"""Pairs of frames are taken as users have them: arrays, tensors, tables and lists, or one line says why not."""

import re

import numpy as np
import pandas
import pytest
import torch

import seq2seq
from seq2seq.data.given_series import as_series
from seq2seq.data.lost_digits import lost_digits
from seq2seq.data.series import Series
from seq2seq.errors import UserError
from seq2seq.library.lines import lines_of
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
    assert len(seq2seq.windows(torch.zeros(5, 2), past=np.int64(2), future=np.int8(1), step=np.uint16(2))) == 2


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


def test_windows_are_cut_out_of_lists_and_tables_of_times():
    days = pandas.date_range("2026-01-01", periods=9)
    wanted = seq2seq.windows(np.arange(9.0), past=3, future=2)
    for given in ([*map(float, range(9))], [[n] for n in range(9)], pandas.Series(range(9), index=days)):
        found = seq2seq.windows(given, past=3, future=2)
        assert [[part.tolist() for part in pair] for pair in found] == [[p.tolist() for p in pair] for pair in wanted]


DAYS = pandas.date_range("2026-01-01", periods=4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            pandas.DataFrame(FRAMES, index=DAYS[::-1]),
            "series must be in the order of the times in its index, but is not: call sort_index first.",
        ),
        (
            pandas.DataFrame(FRAMES, index=DAYS[[0, 1, 1, 2]]),
            "series must have each time of its index once, but has 2026-01-02 00:00:00 twice: keep one row of each.",
        ),
        (
            pandas.DataFrame({"when": DAYS, "x": 1.0}),
            "series must hold real numbers, but column 'when' holds datetime64[",
        ),
        (
            pandas.DataFrame({"Unnamed: 0": range(4), "x": 1.0}),
            "series has a column 'Unnamed: 0', as pandas calls the numbers of rows, which are no feature: read the "
            "file with index_col=0, or drop the column.",
        ),
        (FRAMES + 1j, "series must hold real numbers, but holds complex128: leave such columns out."),
        (FRAMES.astype("M8[s]"), "series must hold real numbers, but holds datetime64[s]: leave such columns out."),
    ],
)
def test_tables_that_are_no_series_in_time_are_told(given, message):
    with pytest.raises(UserError, match=re.escape(message)):
        seq2seq.windows(given, past=2, future=1)
    with pytest.raises(UserError, match=re.escape(message.replace("series", "pairs[0]", 1))):
        examples_of([(given, "a")])


@pytest.mark.parametrize("index", [DAYS[::-1], DAYS[[0, 1, 1, 2]]])
def test_texts_are_taken_as_they_stand_whatever_dates_they_are_of(index):
    texts = pandas.Series(["a", "b", "c", "d"], index=index)
    assert as_series(texts, "texts") is texts
    lines, alone = lines_of(texts, "", ())
    assert [line.source for line in lines] == ["a", "b", "c", "d"]
    assert not alone


def test_texts_of_numbers_are_told_to_be_made_numbers():
    with pytest.raises(UserError, match=re.escape("pairs[0] must hold numbers, but holds others: make it numbers, as")):
        examples_of([(FRAMES[:, :1].astype(str), "a")])


def test_long_gaps_among_times_are_warned_of_and_weekends_are_not(caplog):
    days = pandas.bdate_range("2026-01-01", periods=30)
    seq2seq.windows(pandas.Series(range(30), index=days), past=2, future=1)
    assert not caplog.records
    later = days.where(days < days[20], days + pandas.Timedelta("90D"))
    seq2seq.windows(pandas.Series(range(30), index=later), past=2, future=1)
    assert caplog.messages == [
        "series: 1 of 30 frames come more than 7 times the usual gap after the one before, the first at 2026-04-29 "
        "00:00:00: frames are counted here, not time; cut the series there, or resample it"
    ]


@pytest.mark.parametrize(
    ("given", "feature"), [(1e9 + FRAMES, 1), (np.int64(10**9) + FRAMES.astype(int), 1), (FRAMES + [0, 1e9, 0], 2)]
)
def test_digits_that_32_bits_do_not_keep_are_warned_of(caplog, given, feature):
    examples_of([(given, "a"), (given, "b")])
    seq2seq.windows(given, past=2, future=1)
    lost = f"feature {feature} lies near 1e+09 and spans 9, of which numbers of 32 bits keep steps of 64: subtract what"
    assert caplog.messages == [f"{place}, {lost} its values have in common" for place in ("pairs[0]", "series")]


@pytest.mark.parametrize(
    "given",
    [FRAMES, FRAMES + 1e6, np.full((4, 3), 1e9 + 1), FRAMES * 1e9, np.where(FRAMES > 3, np.nan, 1e9), 1e9 * FRAMES**9],
)
def test_digits_that_are_kept_or_say_nothing_are_not_warned_of(caplog, given):
    examples_of([(given, "a")])
    assert not caplog.records


def test_numbers_of_32_bits_are_not_searched_for_what_they_have_lost(monkeypatch):
    values = np.full((4, 1), 1e9, np.float32)
    assert lost_digits(values + np.arange(4.0)[:, None], values)
    monkeypatch.setattr(np, "abs", None)
    assert lost_digits(values, values) == ""


def test_what_cannot_be_written_is_read_without_a_warning_of_torch(recwarn):
    held = FRAMES.astype(np.float32)
    held.setflags(write=False)
    (example,) = examples_of([(held, "a")])
    torch.from_numpy(example.source.values)
    assert not [one for one in recwarn if "not writable" in str(one.message)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_given_may_be_changed_afterwards(dtype):
    def refilled():
        buffer = np.zeros((3, 2), dtype)
        for number in range(3):
            buffer[:] = number
            yield buffer, f"class {number}"
            yield torch.from_numpy(buffer), "tensor"

    found = [example.source.values[0, 0].item() for example in examples_of(refilled(), in_order=True)]
    assert found == [0, 0, 1, 1, 2, 2]
    given = np.arange(6, dtype=dtype)
    times = np.arange(6, dtype=np.float64)
    pairs = seq2seq.windows(given, past=2, future=1)
    series = Series(given[:, None], times=times)
    given -= 100
    times -= 100
    assert [past.ravel().tolist() for past, _ in pairs] == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert series.values.ravel().tolist() == series.times.tolist() == [*range(6)]


def test_windows_share_no_memory():
    (first, coming), (second, _) = seq2seq.windows(np.arange(4.0), past=2, future=1)
    first[:] = coming[:] = -1
    assert second.ravel().tolist() == [1, 2]


@pytest.mark.parametrize("kind", ["Int64", "Float64"])
def test_what_pandas_calls_missing_is_missing(kind):
    table = pandas.DataFrame({"x": pandas.array([1, None, 3], dtype=kind), "y": [0.5, 1.5, 2.5]})
    examples = examples_of([(table, "a"), (table["x"], "b")])
    np.testing.assert_array_equal(examples[0].source.values, [[1, 0.5], [np.nan, 1.5], [3, 2.5]])
    np.testing.assert_array_equal(examples[1].source.values, [[1], [np.nan], [3]])
