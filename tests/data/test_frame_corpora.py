"""Series come out of files as they stand there, or one line says why not."""

import io
import os
import random
import sys
import threading
import time
import zipfile
from contextlib import suppress
from datetime import date, datetime, timedelta

import numpy as np
import pandas
import pytest

from seq2seq.data.corpora.csv_frames import CSVFrameCorpus
from seq2seq.data.corpora.frame_cells import number_of
from seq2seq.data.corpora.frame_files import NpzCorpus, one_series
from seq2seq.data.corpora.parquet_frames import ParquetFrameCorpus
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.corpora.ts import TsCorpus
from seq2seq.data.example_store import Examples
from seq2seq.data.series import Series
from seq2seq.data.splitting import Fingerprint
from seq2seq.data.text import TextForm, formed
from seq2seq.errors import UserError
from seq2seq.runs.series_file import series_of_file

TS = "#about\n@problemName x\n@timeStamps false\n@classLabel true a b\n@data\n1,2,3:4,?,6:a\n7:8:b\n"
CSV = "series,time,x,y,target\n1,0,1.5,2,up\n1,3,,4,up\n2,0,5,6,down\n"


def load(kind, path, contents, **options):
    if isinstance(contents, str):
        path.write_text(contents)
    else:
        np.savez(path, **contents)
    train = kind(options=FileOptions(str(path), dev=str(path)), **options).load().train
    return [(example.source.values.tolist(), example.targets) for example in train]


def same(found, wanted):
    assert [targets for _, targets in found] == [targets for _, targets in wanted]
    for (values, _), (others, _) in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(values, others)


def test_ts_files_are_read(tmp_path):
    wanted = [([[1, 4], [2, np.nan], [3, 6]], ("a",)), ([[7, 8]], ("b",))]
    same(load(TsCorpus, tmp_path / "x.ts", TS), wanted)


def test_long_tables_are_read(tmp_path):
    wanted = [([[1.5, 2], [np.nan, 4]], ("up",)), ([[5, 6]], ("down",))]
    same(load(CSVFrameCorpus, tmp_path / "x.csv", CSV), wanted)
    same(load(CSVFrameCorpus, tmp_path / "x.csv", CSV, features=["y"])[1:], [([[6]], ("down",))])


@pytest.mark.parametrize("stacked", [True, False])
def test_arrays_are_read(tmp_path, stacked):
    frames = np.arange(12.0).reshape(2, 3, 2)
    flat = np.concatenate([frames[0], frames[1, :1]])
    contents = {"frames": frames if stacked else flat, "lengths": np.array([3, 1]), "targets": np.array(["p q", "r"])}
    wanted = [(frames[0].tolist(), ("p q",)), (frames[1, :1].tolist(), ("r",))]
    same(load(NpzCorpus, tmp_path / "x.npz", contents), wanted)


def test_times_come_with_the_frames(tmp_path):
    flat = {"frames": np.ones((4, 1)), "lengths": np.array([3, 1]), "targets": np.array(["a", "b"])}
    stacked = {"frames": np.ones((2, 3, 1)), "lengths": np.array([3, 1]), "targets": np.array(["a", "b"])}
    (tmp_path / "x.csv").write_text(CSV)
    np.savez(tmp_path / "flat.npz", **flat, times=np.array([5, 6, 9, 2]))
    np.savez(tmp_path / "stacked.npz", **stacked, times=np.array([[5, 6, 9], [2, 0, 0]]))
    np.savez(tmp_path / "none.npz", **flat)
    for kind, name, wanted in (
        (CSVFrameCorpus, "x.csv", [[0.0, 3.0], [0.0]]),
        (NpzCorpus, "flat.npz", [[5.0, 6.0, 9.0], [2.0]]),
        (NpzCorpus, "stacked.npz", [[5.0, 6.0, 9.0], [2.0]]),
        (NpzCorpus, "none.npz", [None, None]),
    ):
        options = FileOptions(str(tmp_path / name), dev=str(tmp_path / name))
        found = [example.source.times for example in kind(options=options).load().train]
        assert [None if times is None else times.tolist() for times in found] == wanted
    options = FileOptions(str(tmp_path / "x.csv"), dev=str(tmp_path / "x.csv"))
    assert all(one.source.times is None for one in CSVFrameCorpus(options=options, time=None).load().train)


@pytest.mark.parametrize(
    ("kind", "contents", "message"),
    [
        (TsCorpus, TS.replace("7:8:b", "7,1:8:b"), "line 7 must have as many values of each feature, but has [2, 1]."),
        (TsCorpus, TS.replace("7:8:b", "7:b"), "line 7 must have 2 features, as the first, but has 1."),
        (TsCorpus, TS.replace("7:8:b", "7:x:b"), "line 7 must hold numbers between commas, but holds 'x'."),
        (TsCorpus, TS.replace("7:8:b", "7:inf:b"), "line 7, frame 1, feature 2 must be finite, but is not: fix it."),
        (TsCorpus, TS.replace("7:8:b", "7"), "line 7 must be `values:values:label`, but is '7'."),
        (TsCorpus, TS.replace("@data", ""), "must have a line @data before its series, but has none."),
        (TsCorpus, TS.replace("Stamps false", "Stamps true"), "must have no time stamps (@timestamps false)"),
        (TsCorpus, TS.replace("true a b", "false"), "must have labels (@classlabel true), but has none."),
        (TsCorpus, TS.partition("1,2")[0], "must hold at least one series, but holds none."),
        (CSVFrameCorpus, CSV + "1,9,0,0,up\n", "rows of series '1' must adjoin, but others are between: sort rows by "),
        (
            CSVFrameCorpus,
            CSV.replace("1,3,", "1,-3,"),
            "line 3: time of series '1' must ascend, but does not: sort it.",
        ),
        (
            CSVFrameCorpus,
            CSV.replace("1,3,", "1,0,"),
            "time of series '1' must ascend, but repeats: keep one row of each.",
        ),
        (
            CSVFrameCorpus,
            CSV.replace("1,3,", "1,,"),
            "line 3, column 'time' must have a time, but has none: leave the row out",
        ),
        (
            CSVFrameCorpus,
            CSV.replace("1,3,", "1,NaN,"),
            "line 3, column 'time' must have a time, but has none: leave the row out",
        ),
        (CSVFrameCorpus, CSV.replace("1,3,", ",3,"), "line 3 must name its series, but its series is empty."),
        (
            CSVFrameCorpus,
            CSV.replace("1.5", '"1,5"'),
            "line 2, column 'x' must hold a number, but holds '1,5': write 1.5.",
        ),
        (CSVFrameCorpus, CSV.replace("x,y", "x,x"), "must have column 'x' once, but has it 2 times: rename."),
        (CSVFrameCorpus, CSV.replace("series,time", "series,series"), "must have column 'series' once, but has it 2"),
        (CSVFrameCorpus, CSV.replace("up\n1", '"u\np"\n1'), "a cell must be on one line, but this one is on several, "),
        (CSVFrameCorpus, CSV.replace(",", "_"), "must have a column 'series', but has series_time_x_y_target: add"),
        (CSVFrameCorpus, CSV.replace("4,up", "4,down"), "line 3: target of series '1' must be one, 'up', but changes."),
        (
            CSVFrameCorpus,
            CSV.replace("1.5", "one"),
            "line 2, column 'x' must hold a number, but holds 'one': write numbers, or name columns without it as fea",
        ),
        (CSVFrameCorpus, CSV.replace("1.5", "1_000"), "must hold a number, but holds '1_000': write 1000."),
        (CSVFrameCorpus, CSV.replace(",0,1.5", ",2024_11,1.5"), "column 'time' must have a time, a number or a moment"),
        (TsCorpus, TS.replace("7:8:b", "7_0:8:b"), "line 7 must hold numbers between commas, but holds '7_0'."),
        (CSVFrameCorpus, CSV.replace("1.5", "80 %"), "column 'x' must hold a number, but holds '80 %': write 80."),
        (CSVFrameCorpus, CSV.replace("1.5", '"2,094.5"'), "must hold a number, but holds '2,094.5': write 2094.5."),
        (
            CSVFrameCorpus,
            CSV.replace(",0,1.5", ",01/02/2026,1.5"),
            "column 'time' must have a time, a number or a moment such as 2026-11-30T12:00, but has '01/02/2026'.",
        ),
        (
            CSVFrameCorpus,
            CSV.replace("1,0,", "1,2026-10-25 02:00,").replace("1,3,", "1,2026-10-25 02:00,"),
            "must ascend, but repeats: keep one row of each; if clocks were set back, write the zone, as in +01:00.",
        ),
        (CSVFrameCorpus, CSV.replace("series", "Series"), "must have a column 'series', but has Series, time, x, y, t"),
        (
            CSVFrameCorpus,
            CSV.replace("series", "Series"),
            "y, target: rename 'Series' to 'series', or when training give data.series=Series.",
        ),
        (CSVFrameCorpus, CSV.replace("series", "id"), "add one that says which series a row is of, the same in all if"),
        (
            CSVFrameCorpus,
            CSV.replace("time", "when"),
            "target: add it, or when training give data.time=COLUMN, or data.time=null where rows are in order.",
        ),
        (
            CSVFrameCorpus,
            CSV.replace("target", "y2"),
            "y2: add it, or when training give data.target=COLUMN, or data.horizon to forecast the end of each series.",
        ),
        (CSVFrameCorpus, CSV + "3,1\n", "line 5 must have 5 columns, but has 2."),
        (
            CSVFrameCorpus,
            CSV.replace("time", "when"),
            "must have a column 'time', but has series, when, x, y, target: ",
        ),
        (NpzCorpus, {"frames": np.ones((2, 3, 1))}, "must hold an array `targets`, but holds none"),
        (NpzCorpus, {"frames": np.ones((2, 3)), "targets": np.array(["a"])}, "must hold lengths, as its frames are"),
        (
            NpzCorpus,
            {"frames": np.ones((2, 3)), "targets": np.array(["a", "b"]), "lengths": np.array([1, 2])},
            "must hold as many frames as lengths say, but holds 2.",
        ),
        (
            NpzCorpus,
            {"frames": np.ones((3, 3)), "targets": np.array(["a", "b"]), "lengths": np.array([3, 0])},
            "series 2 must have at least one frame, but has none: leave it out.",
        ),
        (
            NpzCorpus,
            {"frames": np.ones((2, 3, 1)), "targets": np.array(["a", "b"]), "times": np.ones((2, 2))},
            "must hold a number for each frame as times, [2, 3], but they are [2, 2] of float64.",
        ),
        (
            NpzCorpus,
            {"frames": np.ones((2, 3, 1)), "targets": np.array(["a", "b"]), "times": np.ones((2, 3), "datetime64[s]")},
            "must hold a number for each frame as times, [2, 3], but they are [2, 3] of datetime64[s].",
        ),
        (
            NpzCorpus,
            {"frames": np.ones((2, 3, 1)) + 1j, "targets": np.array(["a", "b"])},
            "as frames and a row of targets, but they are [2, 3, 1] of complex128 and [2] of str",
        ),
        (
            NpzCorpus,
            {"frames": np.ones((2, 3, 1)), "targets": np.array(["a", "b"]), "lengths": np.array([3.0, 1.0])},
            "must hold whole numbers of at least 0 as lengths, but holds others.",
        ),
        (
            NpzCorpus,
            {"frames": np.ones((2, 3, 1)), "targets": np.array([b"a", b"\xff"])},
            "must hold targets in UTF-8, but holds others: save texts of Python.",
        ),
        (
            NpzCorpus,
            {"frames": np.ones((2, 3, 1)), "targets": np.array(["a", "b"]), "times": np.array([[0, 1, 2], [0, 2, 2]])},
            "series 2, frame 3: times must ascend, but 2 follows 2: sort frames by time, one for each.",
        ),
        (NpzCorpus, "text", "is no .npz file, which numpy.savez writes: give one"),
        (
            NpzCorpus,
            {"frames": np.array([[["a"]], [[None]]], dtype=object), "targets": np.array(["a", "b"])},
            "cannot be read as .npz: it holds Python objects rather than numbers or texts: save arrays of these.",
        ),
    ],
)
def test_what_is_no_series_is_told_in_one_line(tmp_path, kind, contents, message):
    with pytest.raises(UserError) as error:
        load(kind, tmp_path / "x.npz", contents)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_series_are_known_by_what_they_hold():
    one, same_one, other = (Series(np.array(values), "here") for values in ([[1.0]], [[1.0]], [[2.0]]))
    assert one == same_one != other
    assert hash(one) == hash(same_one)
    assert Series(np.zeros((2, 3))) != Series(np.zeros((3, 2)))


def test_examples_keep_series_through_all_that_texts_go_through(tmp_path):
    contents = {"frames": np.random.default_rng(1).normal(size=(20, 4, 2)), "targets": np.array([" a"] * 20)}
    np.savez(path := tmp_path / "x.npz", **contents)
    splits = NpzCorpus(options=FileOptions(str(path), dev_size=5)).load()
    assert (len(splits.train), len(splits.dev)) == (15, 5)
    examples = formed(TextForm(), splits.train)
    assert examples[0].targets == ("a",)
    assert all(isinstance(example.source, Series) for example in [*examples[3:6], *Examples.of(list(examples))])
    assert Fingerprint.of(examples) != Fingerprint.of(examples[1:])
    again = NpzCorpus(options=FileOptions(str(path), held_out_below=splits.held_out_below)).load()
    assert again.dev == splits.dev


def test_a_file_of_one_series_needs_no_lengths(tmp_path):
    np.savez(tmp_path / "one.npz", frames=np.ones((3, 2)), times=np.array([5, 6, 9]))
    assert one_series(str(tmp_path / "one.npz")).times.tolist() == [5, 6, 9]
    np.savez(tmp_path / "two.npz", frames=np.ones((2, 3, 2)))
    with pytest.raises(UserError, match="two.npz must hold one series, but holds 2: write the one to a file of its"):
        one_series(str(tmp_path / "two.npz"))


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_tables_are_read_whatever_parts_their_cells(tmp_path, mark):
    wanted = load(CSVFrameCorpus, tmp_path / "x.csv", CSV)
    for name in ("x.csv", "x.txt"):
        same(load(CSVFrameCorpus, tmp_path / name, CSV.replace(",", mark)), wanted)
    loose = CSV.replace("\n1", "\n\n1").replace("series,time", "series, time") + ",,,,\n\n"
    same(load(CSVFrameCorpus, tmp_path / "x.csv", loose.replace(",", mark)), wanted)
    same(load(CSVFrameCorpus, tmp_path / "x.csv", f"sep={mark}\n" + CSV.replace(",", mark)), wanted)
    same(load(CSVFrameCorpus, tmp_path / "x.csv", CSV.replace("\n", "\r")), wanted)
    same(load(CSVFrameCorpus, tmp_path / "x.csv", CSV.replace("1,3,,", "1,3,NA,")), wanted)


def test_moments_are_of_utc_wherever_they_are_read(tmp_path, monkeypatch):
    night = datetime(2024, 10, 27, 2, 59)  # behind which clocks in Berlin go back
    moments = [night, night + timedelta(minutes=1)]
    table = {"series": [1, 1], "time": moments, "x": [1.0, 2.0], "target": ["up", "up"]}
    pandas.DataFrame(table).to_parquet(tmp_path / "x.parquet")
    days = pandas.DataFrame({**table, "time": [date(2024, 10, 27), date(2024, 10, 28)]})
    days.to_parquet(tmp_path / "days.parquet")
    lines = [f"1,{moment.isoformat()},1,up\n" for moment in moments]
    (tmp_path / "x.csv").write_text("series,time,x,target\n" + "".join(lines))
    (tmp_path / "zone.csv").write_text("series,time,x,target\n1,2024-10-27T02:59+02:00,1,up\n")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        for kind, name, wanted in (
            (ParquetFrameCorpus, "x.parquet", [1729997940, 1729998000]),
            (ParquetFrameCorpus, "days.parquet", [1729987200, 1730073600]),
            (CSVFrameCorpus, "x.csv", [1729997940, 1729998000]),
            (CSVFrameCorpus, "zone.csv", [1729990740]),
        ):
            ((series, _),) = kind(options=FileOptions("")).read(str(tmp_path / name))
            assert series.times.tolist() == wanted
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("cells", [str, int])
def test_days_of_eight_digits_are_moments_where_that_is_asked_for_and_else_warned_of(tmp_path, caplog, cells):
    days = ["20240131", "20240201", "20240301"]
    kind = CSVFrameCorpus if cells is str else ParquetFrameCorpus
    path = str(tmp_path / "days")
    table = pandas.DataFrame({"series": ["a"] * 3, "time": [*map(cells, days)], "x": [1, 2, 3], "target": ["u"] * 3})
    table.to_csv(path, index=False) if cells is str else table.to_parquet(path)
    for _ in range(2):  # as in a notebook, where one loads anew
        caplog.clear()
        splits = kind(options=FileOptions(path, dev=path, test=path)).load()
        assert np.diff(splits.train[0].source.times).tolist() == [70, 100]
        assert caplog.messages == [
            f"{path}: times look like days, but are read as numbers, so that months are of 100: data.days=true reads "
            "20240131 as 2024-01-31"
        ]
    caplog.clear()
    ((series, _),) = kind(options=FileOptions(path), days=True).read(path)
    assert np.diff(series.times).tolist() == [86_400, 29 * 86_400]
    assert not caplog.messages


@pytest.mark.parametrize(
    "times",
    [
        ["20240101", "20240102", "20240103"],  # of one month, where numbers are as good
        ["20240130", "20240131", "20240132", "20240301", "20240401"],  # counts, as no month has 32 days
        ["10000101", "10000201", "10000301"],  # of no year of ours
        ["1", "2", "3"],
        ["20240101.5", "20240201.5", "20240301.5"],
        ["2024-01-01", "2024-02-01", "2024-03-01"],  # which are read as moments
    ],
)
def test_other_numbers_are_not_taken_for_days(tmp_path, caplog, times):
    path = tmp_path / "numbers.csv"
    path.write_text("series,time,x,target\n" + "".join(f"a,{time},1,u\n" for time in times))
    ((series, _),) = CSVFrameCorpus(options=FileOptions(str(path))).read(str(path))
    assert len(series.times) == len(times)
    assert not caplog.messages


def test_with_days_a_number_that_is_none_is_refused(tmp_path):
    path = tmp_path / "days.csv"
    path.write_text("series,time,x,target\na,20240131,1,u\na,20240132,1,u\n")
    with pytest.raises(UserError) as error:
        list(CSVFrameCorpus(options=FileOptions(str(path)), days=True).read(str(path)))
    assert (
        str(error.value)
        == f"{path}, line 3, column 'time' must have a day of eight digits, as 20240131, but has '20240132'."
    )
    path.write_text("series,time,x,target\na,20240131,1,u\na,2024-02-01T12:00,1,u\n")  # both may be there
    ((series, _),) = CSVFrameCorpus(options=FileOptions(str(path)), days=True).read(str(path))
    assert np.diff(series.times).tolist() == [1.5 * 86_400]


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_series_without_a_target_or_a_name_is_refused(tmp_path, missing):
    table = {"series": [1.0, 1.0], "time": [0, 1], "x": [1.0, 2.0], "target": [2.0, missing]}
    for name, wrong in (
        ("target", "series '1.0' must have a target, but has none"),
        ("series", "must name its series"),
    ):
        other = {**table, "target": ["a", "a"], "series": [1.0, missing]} if name == "series" else table
        pandas.DataFrame(other).to_parquet(tmp_path / "x.parquet")
        with pytest.raises(UserError, match=f"row 2.* {wrong}"):
            list(ParquetFrameCorpus(options=FileOptions("")).read(str(tmp_path / "x.parquet")))


def test_parquet_that_is_packed_wrongly_is_told(tmp_path):
    path = tmp_path / "x.parquet"
    pandas.DataFrame({"series": [1] * 9, "time": range(9), "x": np.random.rand(9), "target": "a"}).to_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:30] + bytes(60) + whole[90:])
    with pytest.raises(UserError, match="x.parquet cannot be read as Parquet: "):
        list(ParquetFrameCorpus(options=FileOptions("")).read(str(path)))


def test_targets_of_arrays_are_labels_or_frames_by_what_they_hold(tmp_path):
    frames = np.ones((2, 3, 1))
    for targets, wanted in (
        (np.array([1, 2]), ["1", "2"]),
        (np.array([True, False]), ["True", "False"]),
        (np.array(["é".encode(), b"b"]), ["é", "b"]),
    ):
        same(
            load(NpzCorpus, tmp_path / "x.npz", {"frames": frames, "targets": targets}),
            [(frames[0].tolist(), (one,)) for one in wanted],
        )
    np.savez(path := tmp_path / "x.npz", frames=frames > 0, targets=np.array([1.0, 2.5]))
    found = list(NpzCorpus(options=FileOptions("")).read(str(path)))
    assert [target.values.tolist() for _, target in found] == [[[1.0]], [[2.5]]]
    np.savez(path, frames=frames, targets=np.array([1.0, 2.5, 3.0]), target_lengths=np.array([1, 2]))
    found = list(NpzCorpus(options=FileOptions("")).read(str(path)))
    assert [target.values.tolist() for _, target in found] == [[[1.0]], [[2.5], [3.0]]]


def test_an_array_that_claims_to_be_larger_than_memory_is_told(tmp_path):
    held = {"descr": "<f8", "fortran_order": False, "shape": (10**14, 3)}
    with zipfile.ZipFile(path := tmp_path / "x.npz", "w") as archive:
        for name in ("frames.npy", "targets.npy"):
            np.lib.format.write_array_header_1_0(written := io.BytesIO(), held)
            archive.writestr(name, written.getvalue())
    with pytest.raises(UserError, match=r"x.npz cannot be read as .npz: Unable to allocate"):
        list(NpzCorpus(options=FileOptions("")).read(str(path)))


def test_without_pyarrow_it_is_said_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"x.parquet needs the library pyarrow: pip install -e '\.\[datasets\]'\."):
        list(ParquetFrameCorpus(options=FileOptions("")).rows(str(tmp_path / "x.parquet")))


@pytest.mark.parametrize("name", ["NA", "None", "?", "nan"])
def test_a_series_may_have_a_name_that_says_missing_elsewhere(tmp_path, name):
    path = tmp_path / "series.csv"
    path.write_text(f"series,time,target,x\n{name},1,a,2\n")
    corpus = CSVFrameCorpus(options=FileOptions(str(path)))
    assert [series.place for series in corpus.series(str(path))] == [f"{path}, series {name}"]
    path.write_text("series,time,target,x\n ,1,a,2\n")
    with pytest.raises(UserError, match="line 2 must name its series, but its series is empty"):
        list(corpus.series(str(path)))


def piped(pipe, data: bytes) -> str:
    """The path of a pipe, out of which bytes come once."""
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True).start()
    return str(pipe)


@pytest.mark.parametrize("kind", [NpzCorpus, CSVFrameCorpus, ParquetFrameCorpus])
def test_what_comes_out_of_a_pipe_is_read_as_a_file_is(tmp_path, kind):
    file, table = tmp_path / "x", pandas.read_csv(io.StringIO(CSV))
    if kind is CSVFrameCorpus:
        file.write_text(CSV)
    elif kind is ParquetFrameCorpus:
        table.to_parquet(file)
    else:
        with file.open("wb") as out:
            np.savez(out, frames=np.ones((3, 2)), lengths=[2, 1], targets=["up", "down"])
    corpus = kind(options=FileOptions(str(file)))
    pipe = piped(tmp_path / "pipe", file.read_bytes())
    found = list(corpus.examples(pipe))
    assert [own.targets for own in found] == [("up",), ("down",)]
    assert [own.source for own in found] == [own.source for own in corpus.examples(str(file))]


def test_an_array_of_one_series_comes_out_of_a_pipe(tmp_path):
    np.save(tmp_path / "file.npy", np.ones((3, 2)))
    pipe = piped(tmp_path / "pipe.npy", (tmp_path / "file.npy").read_bytes())
    assert series_of_file(pipe, {"data": {}}) == series_of_file(str(tmp_path / "file.npy"), {"data": {}})


def test_features_of_a_pipe_that_are_to_be_forecast_keep_their_names(tmp_path):
    corpus = CSVFrameCorpus(options=FileOptions("x.csv"), horizon=1)
    pipe = piped(tmp_path / "pipe", b"series,time,x,y\n1,0,1,2\n1,1,3,4\n")
    names, series = corpus.named_series(pipe)
    assert names == ["x", "y"]
    assert [one.values.tolist() for one in series] == [[[1, 2], [3, 4]]]


def test_names_are_those_of_the_file_as_it_is(tmp_path):
    path = tmp_path / "x.csv"
    corpus = CSVFrameCorpus(options=FileOptions("x.csv"), horizon=1)
    for names in (["x", "y"], ["y", "z", "x"]):
        path.write_text(f"series,time,{','.join(names)}\n1,0{',1' * len(names)}\n")
        found, series = corpus.named_series(str(path))
        assert found == names
        assert [one.values.shape for one in series] == [(1, len(names))]


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "__index_level_0__"])
@pytest.mark.parametrize("kind", [CSVFrameCorpus, ParquetFrameCorpus])
def test_numbers_of_rows_that_pandas_writes_are_no_feature(tmp_path, kind, name):
    table = pandas.DataFrame({name: [7, 8], "series": "a", "time": [0, 1], "x": [1.0, 2.0], "target": "up"})
    path = tmp_path / "x"
    table.to_csv(path, index=False) if kind is CSVFrameCorpus else table.to_parquet(path, index=False)
    with pytest.raises(UserError) as error:
        load_as_is(kind, path)
    assert str(error.value) == (
        f"{path}, column 1 is called {name!r}, as pandas calls the numbers of rows, which are no feature: leave it out "
        "by index=False, give it a name, or name the columns to read, features=[...]."
    )
    same(load_as_is(kind, path, features=["x"]), [([[1], [2]], ("up",))])


@pytest.mark.parametrize(
    ("header", "cells", "message"),
    [
        ("x,target,", ("1,up,", "2,up,"), "column 5 has no name: leave it out, give it a name"),
        ("x,target,,", ("1,up,,", "2,up,,"), "column 5 has no name: leave it out, give it a name"),
        (",x,target", ("0.5,1,up", "0.2,2,up"), "column 3 has no name: leave it out, give it a name"),
        ("Unnamed: 2,x,target", ("5,1,up", "5,2,up"), "column 3 has no name, as 'Unnamed: 2' says: leave it out, give"),
        (",x,target", ("5,1,up", "9,2,up"), "column 3 is called '', as pandas calls the numbers of rows, which are no"),
        (
            "__index_level_0__,target",
            ("9,up", "5,up"),
            "column 3 is called '__index_level_0__', as pandas calls the nu",
        ),
    ],
)
def test_other_columns_have_no_name(tmp_path, header, cells, message):
    (tmp_path / "x.csv").write_text(f"series,time,{header}\na,0,{cells[0]}\na,1,{cells[1]}\n")
    with pytest.raises(UserError) as error:
        load_as_is(CSVFrameCorpus, tmp_path / "x.csv")
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_numbers_of_rows_are_read_where_that_is_asked_for_and_warned_of(tmp_path, caplog, name):
    path = tmp_path / "x.csv"
    path.write_text(f"{name},series,time,x,target\n7,a,0,1,up\n8,a,1,2,up\n")
    same(load_as_is(CSVFrameCorpus, path, unnamed=True), [([[7, 1], [8, 2]], ("up",))])
    assert caplog.messages == [
        f"{path}, column 1 is called {name!r}, as pandas calls the numbers of rows, which are no feature: leave it out "
        "by index=False; here it is read as a feature, as data.unnamed=true asks"
    ]


def test_a_column_of_targets_that_holds_text_is_told_as_one(tmp_path):
    (tmp_path / "x.csv").write_text("series,time,x,y\na,0,1,up\n")
    with pytest.raises(
        UserError, match="column 'y' must hold a number.*: write numbers, or name columns without it as t"
    ):
        load_as_is(CSVFrameCorpus, tmp_path / "x.csv", target=["y"])


def test_a_feature_in_other_letters_is_to_be_renamed(tmp_path):
    (tmp_path / "x.csv").write_text(CSV)
    with pytest.raises(UserError, match="must have a column 'X', but has .*: rename 'x' to 'X'.$"):
        load_as_is(CSVFrameCorpus, tmp_path / "x.csv", features=["X"])


def test_files_are_read_as_train_is_in_whatever_order_they_are_looked_at(tmp_path):
    (tmp_path / "x.csv").write_text(CSV)
    (tmp_path / "other.csv").write_text(CSV.replace("x,y", "y,x"))
    corpus = CSVFrameCorpus(options=FileOptions(str(tmp_path / "x.csv"), dev=str(tmp_path / "other.csv")))
    for path, wanted in (("other.csv", [1.5, 2]), ("x.csv", [1.5, 2])):  # no file is known by another
        assert corpus.examples(str(tmp_path / path))[0].source.values[0].tolist() == wanted
    splits = corpus.load()
    assert splits.features == ("x", "y")
    assert splits.dev[0].source.values[0].tolist() == [2, 1.5]


def load_as_is(kind, path, **options):
    train = kind(options=FileOptions(str(path), dev=str(path)), **options).load().train
    return [(example.source.values.tolist(), example.targets) for example in train]


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("1,5", "1.5"),
        ("0,125", "0.125"),
        ("-0,125", "-0.125"),
        ("012,125", "012.125"),
        ("21,125", "21.125 or 21125, whichever is meant"),
        ("-1,125", "-1.125 or -1125, whichever is meant"),
        ("1234,125", "1234.125"),
        ("21,1256", "21.1256"),
        ("2,094.5", "2094.5"),
        ("+1,000,000", "+1000000"),
        ("1,000,000.25", "1000000.25"),
        ("0,125,000", "numbers, or name columns without it as features"),
        ("0,125.5", "numbers, or name columns without it as features"),
    ],
)
def test_a_comma_is_taken_for_what_it_can_be_alone(cell, advice):
    with pytest.raises(UserError) as error:
        number_of(cell, "here")
    assert str(error.value) == f"here must hold a number, but holds {cell!r}: write {advice}."


def test_switches_are_numbers(tmp_path):
    contents = CSV.replace("1.5", "True").replace(",5,6", ",FALSE,6")
    same(load(CSVFrameCorpus, tmp_path / "x.csv", contents), [([[1, 2], [np.nan, 4]], ("up",)), ([[0, 6]], ("down",))])


def test_columns_of_train_are_those_of_the_other_files_in_whatever_order(tmp_path):
    """Features are known by their names: a file with others in their places would be read as if it had them."""
    train, dev, test = (str(tmp_path / f"{name}.csv") for name in ("train", "dev", "test"))
    (tmp_path / "train.csv").write_text(CSV)
    (tmp_path / "dev.csv").write_text("series,time,z,y,x,target\n1,0,9,2,1.5,up\n")
    (tmp_path / "test.csv").write_text("series,time,x,z,target\n1,0,9,2,up\n")
    splits = CSVFrameCorpus(options=FileOptions(train, dev=dev)).load()
    assert splits.features == ("x", "y")
    assert splits.dev[0].source.values.tolist() == [[1.5, 2]]
    with pytest.raises(
        UserError, match=r"test.csv must have a column 'y', but has series, time, x, z, target: add it, or t"
    ):
        CSVFrameCorpus(options=FileOptions(train, dev=dev, test=test)).load()


@pytest.mark.parametrize("above", ["", "\n", " \n\n", ",,,,\n", "\nsep=,\n", "sep=,\n\n"])
def test_lines_of_nothing_above_the_header_are_passed_over(tmp_path, above):
    same(load(CSVFrameCorpus, tmp_path / "x.csv", CSV), load(CSVFrameCorpus, tmp_path / "x.csv", above + CSV))
    line = above.count("\n") + 2
    with pytest.raises(UserError, match=f"line {line}, column 'x' must hold a number, but holds 'one'"):
        load(CSVFrameCorpus, tmp_path / "x.csv", above + CSV.replace("1.5", "one"))


@pytest.mark.parametrize(("time", "advice"), [("time", "sort rows by series, then by time"), (None, "sort rows by")])
def test_tables_in_the_order_of_times_are_to_be_sorted_by_series(tmp_path, time, advice):
    (path := tmp_path / "x.csv").write_text(
        "series,time,x\n" + "".join(f"{own},{now},1\n" for now in "12" for own in "ab")
    )
    with pytest.raises(UserError, match=f"rows of series 'a' must adjoin, but others are between: {advice}"):
        load(CSVFrameCorpus, path, path.read_text(), horizon=1, time=time)


def test_a_series_that_is_no_longer_than_the_horizon_is_told_where_rows_adjoin(tmp_path):
    with pytest.raises(UserError, match="series 2 must have more frames than horizon=1, but has 1: leave it out."):
        load(CSVFrameCorpus, tmp_path / "x.csv", CSV + "3,0,5,6,down\n", horizon=1, features=["x"])


@pytest.mark.parametrize("target", ["y", "absent", ["y"]])
@pytest.mark.parametrize("kind", [CSVFrameCorpus, ParquetFrameCorpus])
def test_a_target_beside_a_horizon_is_refused(kind, target):
    with pytest.raises(UserError) as error:
        kind(options=FileOptions("x.csv"), target=target, horizon=2)
    assert str(error.value) == (
        f"target must be left out beside horizon=2, as the end of each series is the target, but is {target!r}: "
        "features says which columns are read and forecast."
    )
    kind(options=FileOptions("x.csv"), target=[], horizon=2)


def test_digits_that_a_ts_file_has_and_32_bits_do_not_keep_are_warned_of(tmp_path, caplog):
    load(TsCorpus, tmp_path / "x.ts", TS.replace("7:8:b", "123456789.5,123456790.5:1,2:b"))
    assert "line 7, feature 1 lies near 1.23e+08 and spans 1, of which numbers of 32 bits keep" in caplog.messages[0]


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [(6, 1, "File 'frames.npy' is encrypted, password"), (8, 97, "That compression method is not supported")],
)
def test_archives_that_are_encrypted_or_packed_otherwise_are_told(tmp_path, place, value, message):
    np.savez(path := tmp_path / "x.npz", frames=np.ones((2, 3, 1)), targets=np.array(["a", "b"]))
    held = bytearray(path.read_bytes())
    for mark, behind in ((b"PK\x03\x04", place), (b"PK\x01\x02", place + 2)):
        start = -1
        while (start := held.find(mark, start + 1)) >= 0:
            held[start + behind] = value
    path.write_bytes(held)
    with pytest.raises(UserError, match=f"x.npz cannot be read as .npz: {message}"):
        list(NpzCorpus(options=FileOptions("")).read(str(path)))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_archive_is_read_or_told(tmp_path, save):
    save(path := tmp_path / "x.npz", frames=np.ones((2, 3, 1)), targets=np.array(["a", "b"]))
    whole = path.read_bytes()
    for seed in range(400):
        draw, damaged = random.Random(seed), bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        path.write_bytes(damaged)
        with suppress(UserError):
            list(NpzCorpus(options=FileOptions("")).read(str(path)))


def test_an_array_that_is_cut_off_is_told(tmp_path):
    np.save(path := tmp_path / "x.npy", np.ones((2, 3)))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="x.npy"):
            series_of_file(str(path), {"data": {}})
