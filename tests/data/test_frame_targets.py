"""Targets that are frames come out of files, and out of the end of series, as they stand there."""

from datetime import datetime

import numpy as np
import pandas
import pytest
import torch

from seq2seq.data.batch import PairSequences
from seq2seq.data.corpora.csv_frames import CSVFrameCorpus
from seq2seq.data.corpora.frame_files import NpzCorpus
from seq2seq.data.corpora.parquet_frames import ParquetFrameCorpus
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.example_store import Examples
from seq2seq.data.frame_sequences import FrameSequences, TargetFrameSequences
from seq2seq.data.series import ForecastSeries, Series
from seq2seq.errors import UserError

TABLE = {
    "series": ["a", "a", "a", "b", "b"],
    "time": [datetime(2026, 1, day) for day in (1, 2, 4, 1, 9)],
    "x": [1.5, None, 3, 4, 5],
    "y": [10, 20, 30, 40, 50],
}


def load(kind, path, **options) -> list[tuple[list, list | str]]:
    train = kind(options=FileOptions(str(path), dev=str(path)), **options).load().train
    return [
        (one.source.values.tolist(), own.values.tolist() if isinstance(own := one.targets[0], Series) else own)
        for one in train
    ]


def write(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_parquet_and_csv_tables_are_read_alike(tmp_path):
    table = pandas.DataFrame(TABLE | {"target": ["up"] * 3 + ["down"] * 2})
    table.to_parquet(tmp_path / "x.parquet", row_group_size=2)
    table.assign(time=range(5)).to_csv(tmp_path / "x.csv", index=False)
    found = load(ParquetFrameCorpus, tmp_path / "x.parquet")
    assert repr(found) == repr(load(CSVFrameCorpus, tmp_path / "x.csv"))
    assert found[1] == ([[4, 40], [5, 50]], "down")
    assert np.isnan(found[0][0][1][0])


@pytest.mark.parametrize("kind", [ParquetFrameCorpus, CSVFrameCorpus])
def test_the_end_of_a_series_is_its_target_or_columns_are(tmp_path, kind):
    path = tmp_path / ("x.parquet" if kind is ParquetFrameCorpus else "x.csv")
    table = pandas.DataFrame(TABLE).assign(time=range(5))
    table.to_parquet(path) if kind is ParquetFrameCorpus else table.to_csv(path, index=False)
    assert load(kind, path, horizon=1, features=["y"]) == [([[10], [20]], [[30]]), ([[40]], [[50]])]
    assert load(kind, path, target=["y"], features=["y"])[1] == ([[40], [50]], [[40], [50]])
    alone = kind(options=FileOptions(str(path)), target=["z"], features=["y"]).series(str(path))
    assert [one.values.tolist() for one in alone] == [[[10], [20], [30]], [[40], [50]]]


def test_digits_that_are_lost_are_told_of_series_whose_end_is_to_be_forecast(tmp_path, caplog):
    load(NpzCorpus, write(tmp_path / "x.npz", frames=1e9 + np.arange(12.0).reshape(2, 6, 1)), horizon=2)
    lost = "feature 1 lies near 1e+09 and spans 5, of which numbers of 32 bits keep steps of 64"
    assert caplog.messages == [f"{tmp_path / 'x.npz'}, series 1, {lost}: subtract what its values have in common"]


def test_what_is_no_parquet_or_too_short_is_told_in_one_line(tmp_path):
    (tmp_path / "x.parquet").write_text("series,time\n")
    with pytest.raises(UserError, match="x.parquet cannot be read as Parquet: "):
        load(ParquetFrameCorpus, tmp_path / "x.parquet")
    pandas.DataFrame(TABLE | {"y": ["1", "2", "3", "4", "five"]}).to_parquet(tmp_path / "y.parquet")
    with pytest.raises(UserError, match="y.parquet, row 5, column '[a-z]+' must hold a number, but holds 'five'"):
        load(ParquetFrameCorpus, tmp_path / "y.parquet", horizon=1)
    path = write(tmp_path / "x.npz", frames=np.ones((2, 4, 1)), lengths=np.array([4, 3]))
    with pytest.raises(UserError, match="series 2 must have more frames than horizon=3, but has 3: leave it out."):
        load(NpzCorpus, path, horizon=3)
    with pytest.raises(UserError, match="horizon must be at least 1 frame, or null where there are targets, but is 0"):
        NpzCorpus(options=FileOptions("x"), horizon=0)
    with pytest.raises(UserError, match="target must name at least one column, but is empty"):
        CSVFrameCorpus(options=FileOptions("x"), target=[])


@pytest.mark.parametrize("stacked", [True, False])
def test_arrays_of_targets_are_read(tmp_path, stacked):
    frames, targets = np.arange(12.0).reshape(2, 3, 2), np.arange(4.0).reshape(2, 2, 1)
    flat = {"targets": np.concatenate([targets[0], targets[1, :1]])}
    own = {"targets": targets} if stacked else flat
    path = write(tmp_path / "x.npz", frames=frames, target_lengths=np.array([2, 1]), **own)
    assert load(NpzCorpus, path) == [(frames[0].tolist(), [[0], [1]]), (frames[1].tolist(), [[2]])]


def test_targets_that_do_not_fit_are_told_in_one_line(tmp_path):
    frames = np.ones((2, 3, 1))
    for arrays, message in [
        ({"targets": np.ones((2, 3))}, "must hold target_lengths, as its frames are one behind the other"),
        ({"targets": np.ones((3, 3, 1))}, "must hold a length and a target for each series, 2, but does not."),
        ({"targets": np.full((2, 3, 1), np.inf)}, "the target of .*, series 1, frame 1, feature 1 must be finite"),
    ]:
        with pytest.raises(UserError, match=message):
            load(NpzCorpus, write(tmp_path / "x.npz", frames=frames, **arrays))


def test_examples_keep_series_on_both_sides(tmp_path):
    path = write(tmp_path / "x.npz", frames=np.random.default_rng(1).normal(size=(20, 6, 2)))
    splits = NpzCorpus(options=FileOptions(str(path), dev_size=5), horizon=2).load()
    assert (len(splits.train), len(splits.dev)) == (15, 5)
    for example in Examples.of([*splits.train[2:4], *splits.dev]):
        assert [one.values.shape for one in (example.source, *example.targets)] == [(4, 2), (2, 2)]


def test_batches_hold_targets_from_a_beginning_that_is_no_number_and_without_an_end():
    targets = [Series(np.full((length, 2), length, np.float32)) for length in (3, 1)]
    pairs = PairSequences(FrameSequences.from_series(targets, 2), TargetFrameSequences.from_series(targets, 2))
    rows = torch.tensor([1, 0])
    batch = pairs.batch(rows, step_tokens=pairs.target_tokens(rows))
    assert batch.step_tokens == 4
    assert batch.target_mask.tolist() == [[True, False, False], [True, True, True]]
    assert batch.target_inputs[0, 0].isnan().all()
    torch.testing.assert_close(batch.target_inputs[:, 1:], batch.target_outputs[:, :-1], equal_nan=True)
    assert batch.of_tokens(batch.target_outputs).tolist() == [[1, 1], [3, 3], [3, 3], [3, 3]]
    assert not pairs.batch(rows, step_tokens=1.0, silent=True).target_mask.any()
    assert batch.twice().target_mask.sum() == 8
    assert [int(part.target_mask.sum()) for part in batch.parts(2)] == [1, 3]


def test_a_forecast_is_known_by_its_means_and_keeps_its_deviations():
    forecast = ForecastSeries(np.ones((2, 1)), np.full((2, 1), 0.5))
    assert forecast == Series(np.ones((2, 1)))
    assert forecast.deviations.tolist() == [[0.5], [0.5]]
    assert ForecastSeries(np.ones((2, 1))).deviations is None
