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


PROSE = ["Hello, world", "how are you", "yes, but, no", 'she said "no', "a\tb"]


@pytest.mark.parametrize("delimiter", ["comma", "space", "bar", "auto"])
@pytest.mark.parametrize("name", ["given.txt", "given.csv"])
def test_lines_of_text_are_sources_whatever_the_run_was_cut_by(tmp_path, delimiter, name):
    path = tmp_path / name
    for lines in (PROSE, PROSE[1:], [*PROSE[:2], "", *PROSE[2:]]):
        path.write_text("\n".join([*lines, ""]))
        found = sources_of_file({"data": TABLE | {"delimiter": delimiter}}, str(path))
        assert found == [line.split("\t")[0] for line in lines]


@pytest.mark.parametrize("delimiter", ["auto", "comma", "space"])
def test_one_tab_in_lines_of_text_refuses_none_of_them(tmp_path, delimiter):
    path = tmp_path / "given.txt"
    path.write_text("a b\tb a\nc, d\ne f g\n")
    assert sources_of_file({"data": TABLE | {"delimiter": delimiter}}, str(path)) == ["a b", "c, d", "e f g"]


@pytest.mark.parametrize(("delimiter", "mark"), [("auto", "\t"), ("comma", "\t"), ("comma", ","), ("space", " ")])
def test_empty_lines_between_pairs_are_no_sources(tmp_path, delimiter, mark):
    path = tmp_path / "given.txt"
    path.write_text("\n".join(["", f"a{mark}b", "", f"c{mark}d", "", ""]))
    assert sources_of_file({"data": TABLE | {"delimiter": delimiter}}, str(path)) == ["a", "c"]


def test_pairs_between_tabs_may_hold_the_delimiter_of_the_run(tmp_path):
    path, data = tmp_path / "given.tsv", TABLE | {"delimiter": "comma"}
    path.write_text("Hello, world\tbonjour\na, b, c\td\n")
    assert sources_of_file({"data": data}, str(path)) == ["Hello, world", "a, b, c"]
    pairs = [Example("Hello, world", ("bonjour",)), Example("a, b, c", ("d",))]
    assert examples_of_file({"data": data}, str(path)) == pairs


@pytest.mark.parametrize(
    ("name", "wrong", "found"),
    [
        ("given.tsv", "b", "line 2 has 1 column, where"),
        ("given.tsv", "b\tc\td", "line 2 has 3 columns, where"),
        ("given.csv", "b", "line 2 has 1 column, where"),
        ("given.csv", 'b,"c', "line 2 cannot be cut, where"),
    ],
)
def test_a_row_that_keeps_pairs_from_being_read_as_such_is_named(tmp_path, caplog, name, wrong, found):
    path, mark = tmp_path / name, "," if name.endswith("csv") else "\t"
    lines = ["a,b", wrong, *(f"{one}{mark}{two}" for one in "cde" for two in "xy")]
    path.write_text("\n".join([lines[0].replace(",", mark), *lines[1:], ""]))
    assert len(sources_of_file({"data": TABLE}, str(path))) == len(lines)
    assert caplog.messages == [
        f"{path} is read as lines of text, each a source up to a tab, and not as pairs: {found} most of the first 8 "
        "have 2"
    ]


def test_what_is_text_is_read_as_such_without_a_word(tmp_path, caplog):
    for name in ("given.txt", "given.csv"):
        (tmp_path / name).write_text("\n".join([*PROSE, "plain", "", "a\tb", "more of it", ""]))
        sources_of_file({"data": TABLE}, str(tmp_path / name))
    (tmp_path / "pairs.tsv").write_text("a\tb\n\nc\td\n")
    assert sources_of_file({"data": TABLE}, str(tmp_path / "pairs.tsv")) == ["a", "c"]
    assert not caplog.messages


def test_a_row_of_a_table_that_names_its_columns_is_refused_where_it_does_not_fit(tmp_path):
    path = tmp_path / "given.tsv"
    path.write_text("source\ttarget\na\tb\na\n")
    with pytest.raises(UserError, match="given.tsv, line 3 must be"):
        sources_of_file({"data": TABLE}, str(path))


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


@pytest.mark.parametrize(("name", "data"), [("given.tsv", TABLE), ("given.jsonl", ROWS | {"name": "json"})])
def test_rows_of_a_source_are_taken_together_unless_the_run_s_or_the_call_s_are_in_order(
    tmp_path, monkeypatch, name, data
):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    pairs, path = [("a", "1"), ("b", "2"), ("a", "3"), ("a", "1")], tmp_path / name
    lines = [f"{s}\t{t}" if name.endswith("tsv") else json.dumps({"s": s, "t": {"de": t}}) for s, t in pairs]
    path.write_text("".join(f"{line}\n" for line in lines))
    rows = [Example(source, (target,)) for source, target in pairs]
    assert examples_of_file({"data": data}, str(path)) == [Example("a", ("1", "3")), Example("b", ("2",))]
    assert examples_of_file({"data": data}, str(path), in_order=True) == rows
    assert examples_of_file({"data": data | {"in_order": True}}, str(path)) == rows
    assert sources_of_file({"data": data}, str(path)) == ["a", "b", "a", "a"]
