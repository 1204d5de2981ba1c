"""Files that a run is to read have what the run's own tables have."""

import inspect

import pytest

from seq2seq.data.corpora.csv_frames import CSVFrameCorpus
from seq2seq.runs.series_corpus import corpus_of

OWN = {
    "series": "who",
    "time": "when",
    "target": ["x"],
    "features": ["x", "y"],
    "horizon": 3,
    "days": True,
    "unnamed": True,
}


@pytest.mark.parametrize("file", ["given.csv", "given.parquet"])
def test_every_option_of_a_table_of_frames_is_that_of_the_run(file):
    assert OWN.keys() == inspect.signature(CSVFrameCorpus).parameters.keys() - {"options"}
    data = {"_target_": "seq2seq.data.corpora.csv_frames.CSVFrameCorpus", "train": "train.csv", **OWN}
    found = vars(corpus_of({"data": data}, file))
    columns = vars(found["_named"])
    assert {
        name: columns[name] if name in ("series", "time", "features", "unnamed") else found[name] for name in OWN
    } == OWN
    assert columns["targets"] == OWN["target"]
    assert columns["horizon"]
