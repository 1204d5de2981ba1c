"""Files that a run is to read have what the run's own tables have."""

import inspect

import pytest

from seq2seq.data.corpora.csv_frames import CSVFrameCorpus
from seq2seq.runs.series_corpus import corpus_of

OWN = {
    "series": "who",
    "time": "when",
    "features": ["x", "y"],
    "days": True,
    "unnamed": True,
}
ENDS = [
    {"target": ["x"], "horizon": None},
    {"target": ["target"], "horizon": 3},
]  # a target beside a horizon is refused


@pytest.mark.parametrize("ends", ENDS, ids=["target", "horizon"])
@pytest.mark.parametrize("file", ["given.csv", "given.parquet"])
def test_every_option_of_a_table_of_frames_is_that_of_the_run(file, ends):
    own = OWN | ends
    assert own.keys() == inspect.signature(CSVFrameCorpus).parameters.keys() - {"options"}
    data = {"_target_": "seq2seq.data.corpora.csv_frames.CSVFrameCorpus", "train": "train.csv", **own}
    found = vars(corpus_of({"data": data}, file))
    columns = vars(found["_named"])
    named = ("series", "time", "features", "unnamed")
    assert {name: columns[name] if name in named else found[name] for name in own} == own
    assert (columns["targets"], columns["horizon"]) == (ends["target"], bool(ends["horizon"]))
