"""A run on a table of frames keeps the names of its features, by which it reads other tables."""

import numpy as np
import pandas
import pytest

from seq2seq.commands.train import _data
from seq2seq.config.moved import up_to_date
from seq2seq.errors import UserError
from seq2seq.runs.series_corpus import corpus_of

TABLE = pandas.DataFrame({"series": list("aabbcc"), "time": [0, 1] * 3, "x": np.arange(6.0), "y": 5.0})
TARGET = "seq2seq.data.corpora.csv_frames.CSVFrameCorpus"


@pytest.fixture
def config(tmp_path):
    TABLE.to_csv(tmp_path / "train.csv", index=False)
    data = {"_target_": TARGET, "horizon": 1, "features": None, "train": str(tmp_path / "train.csv")}
    own = {"data": data, "distill": None, "rehearsal": 0, "text": {"_target_": "seq2seq.data.text.TextForm"}}
    return _data(own, None, tmp_path, resume=False)[0]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_columns_in_another_order_and_more_of_them_are_read_as_those_of_train(config, tmp_path, kind):
    assert config["data"]["features"] == ["x", "y"]
    other, path = TABLE[["y", "series", "x", "time"]].assign(z=1.0), tmp_path / f"other.{kind}"
    other.to_csv(path, index=False) if kind == "csv" else other.to_parquet(path)
    names, series = corpus_of(config, str(path)).named_series(str(path))
    assert names == ["x", "y"]
    np.testing.assert_array_equal(np.concatenate([one.values for one in series]), TABLE[["x", "y"]])


def test_a_table_without_one_of_them_is_refused_by_its_name(config, tmp_path):
    TABLE.rename(columns={"y": "z"}).to_csv(tmp_path / "other.csv", index=False)
    corpus = corpus_of(config, str(tmp_path / "other.csv"))
    with pytest.raises(
        UserError, match="other.csv must have a column 'y', but has series, time, x, z: add it, or train anew wi"
    ):
        list(corpus.named_series(str(tmp_path / "other.csv"))[1])


def test_a_run_of_before_reads_its_own_files_and_others_as_it_did(tmp_path, caplog):
    path = tmp_path / "train.csv"
    TABLE.to_csv(path)  # with the numbers of rows
    data = {"_target_": TARGET, "horizon": 1, "features": None, "train": str(path)}
    own = {"data": data, "distill": None, "rehearsal": 0, "text": {"_target_": "seq2seq.data.text.TextForm"}}
    with pytest.raises(UserError, match="column 1 is called '', as pandas calls the numbers of rows"):
        _data(own, None, tmp_path, resume=False)
    before = up_to_date(own)
    config, splits = _data(before, None, tmp_path, resume=True)
    assert config["data"]["features"] is None
    assert splits.features == ("", "x", "y")
    names, series = corpus_of(config, str(path)).named_series(str(path))
    assert names == ["", "x", "y"]
    assert next(iter(series)).values[0].tolist() == [0, 0, 5]
    assert all("here it is read as a feature" in message for message in caplog.messages)
    assert len(caplog.messages) == 2
