"""A file that is given to a run is read as the run's own data were."""

import json

import pytest

from seq2seq.data.examples import Example
from seq2seq.errors import UserError
from seq2seq.runs.given_pairs import examples_of_file, sources_of_file

TABLE = {"_target_": "seq2seq.data.corpora.tsv.TSVCorpus", "train": "train.tsv"}
ROWS = {"_target_": "seq2seq.data.corpora.hub.DatasetsCorpus", "train": "train.jsonl", "source": "s", "target": "t.de"}
OTHER = {"_target_": "seq2seq.data.corpora.synthetic.SyntheticCorpus", "task": "copy"}
PAIR = [Example("dog N;PL", ("dogs",))]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"source": [1, 3], "target": 2}, "dog\tdogs\tN;PL"),
        ({"source": "Lemma", "target": "Form"}, "No\tForm\tLemma\n1\tdogs\tdog N;PL"),
        ({"source": 2, "target": 1}, "dogs\tdog N;PL"),
        ({"delimiter": "|"}, "dog N;PL|dogs"),
        ({"header": True}, "a\tb\ndog N;PL\tdogs"),
        # Not of the run's form, so a plain pair.
        ({"source": [1, 3], "target": 2}, "dog N;PL\tdogs"),
        ({"source": "Lemma", "target": "Form"}, "dog N;PL\tdogs"),
        ({"delimiter": "|"}, "dog N;PL\tdogs"),
        ({}, "dog N;PL\tdogs"),
    ],
)
def test_a_table_has_the_columns_of_the_runs_where_it_has_them(tmp_path, options, line):
    path = tmp_path / "given.tsv"
    path.write_text(f"{line}\n")
    assert examples_of_file({"data": TABLE | options}, str(path)) == PAIR
    assert sources_of_file({"data": TABLE | options}, str(path)) == ["dog N;PL"]


@pytest.mark.parametrize("data", [TABLE, TABLE | {"source": 2, "target": 3}, TABLE | {"delimiter": "bar"}, OTHER, ROWS])
def test_sources_that_are_no_pairs_are_one_a_line_or_the_first_of_several_columns(tmp_path, data):
    path = tmp_path / "given.txt"
    path.write_text("b, c\n\na\na\tb\n")
    assert sources_of_file({"data": data}, str(path)) == ["b, c", "", "a", "a"]
    path.write_text("b\tc\td\te\n")
    assert sources_of_file({"data": data}, str(path)) == (["c"] if data.get("source") == 2 else ["b"])


def test_sources_of_pairs_are_as_many_as_there_are_rows(tmp_path):
    path = tmp_path / "given.tsv"
    path.write_text("source\ttarget\na\tb\na\tc\n")
    assert sources_of_file({"data": TABLE}, str(path)) == ["a", "a"]


@pytest.mark.parametrize("data", [OTHER, ROWS | {"name": "json"}])
def test_a_table_is_one_of_pairs_for_other_runs(tmp_path, data):
    path = tmp_path / "given.tsv"
    path.write_text("dog N;PL\tdogs\n")
    assert examples_of_file({"data": data}, str(path)) == PAIR


def test_what_would_read_a_table_is_not_told_where_it_has_no_effect(tmp_path):
    path = tmp_path / "given.tsv"
    path.write_text("a\tb\tc\td\n")
    with pytest.raises(UserError) as error:
        examples_of_file({"data": TABLE}, str(path))
    assert str(error.value).endswith("Write a source, a tab and a target on every line.")


def test_json_lines_are_read_by_the_columns_of_a_run_that_has_learnt_from_such(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    path = tmp_path / "given.jsonl"
    path.write_text(json.dumps({"s": "dog N;PL", "t": {"de": "dogs"}}) + "\n")
    assert examples_of_file({"data": ROWS | {"name": "json"}}, str(path)) == PAIR
    assert sources_of_file({"data": ROWS | {"name": "json"}}, str(path)) == ["dog N;PL"]
