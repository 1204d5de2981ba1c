"""Files of JSON lines and of Parquet are read as they are, whatever they and their columns are called."""

import builtins
import json
import os
from pathlib import Path

import pytest

from seq2seq.data.corpora.hub import DatasetsCorpus
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.errors import UserError

KINDS = ["jsonl", "parquet"]


def write_rows(path: Path, rows: list[dict]) -> None:
    if path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def corpus(path: Path, source: str = "s", target: str = "t", **options) -> DatasetsCorpus:
    name = "parquet" if path.suffix == ".parquet" else "json"
    return DatasetsCorpus(name=name, source=source, target=target, options=FileOptions(str(path)), **options)


def error_of(load) -> str:
    with pytest.raises(UserError) as error:
        load()
    return str(error.value)


def pairs_of(path: Path, *columns: str) -> list[tuple[str, str]]:
    return [(example.source, *example.targets) for example in corpus(path, *columns, in_order=True).read(str(path))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["b[1]", "b?", "b*", "a::b", "b{1,2}", "%41", "__b"])
def test_a_name_is_no_pattern_and_no_address(tmp_path, kind, name):
    for own in ("b1", "b2", "A"):
        write_rows(tmp_path / f"{own}.{kind}", [{"s": "another", "t": "file"}])
    path = tmp_path / f"{name}.{kind}"
    write_rows(path, [{"s": "a", "t": "b"}])
    assert pairs_of(path) == [("a", "b")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_has_changed_within_one_moment_is_read_anew(tmp_path, kind):
    path = tmp_path / f"train.{kind}"
    for text in ("one", "two"):
        write_rows(path, [{"s": text, "t": text}])
        os.utime(path, (1, 1))
        assert pairs_of(path) == [(text, text)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("row", "path"),
    [
        ({"t.x": "b"}, "t.x"),
        ({"t.x": "b", "t": {"x": "c"}}, "t.x"),
        ({"t": {"x.y": "b"}}, "t.x.y"),
        ({"t.x": {"y.z": "b"}}, "t.x.y.z"),
        ({"t.": "b"}, "t."),
    ],
)
def test_names_of_columns_may_hold_dots(tmp_path, kind, row, path):
    file = tmp_path / f"train.{kind}"
    write_rows(file, [{"s": "a", **row}, {"s": "c", **row}])
    assert pairs_of(file, "s", path) == [("a", "b"), ("c", "b")]
    assert pairs_of(file, path, path) == [("b", "b"), ("b", "b")]


def test_a_key_with_dots_that_comes_twice_is_refused(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text('{"s": "a", "t.x": "b", "t.x": "c"}\n')
    message = error_of(lambda: pairs_of(path, "s", "t.x"))
    assert message == f"{path}, line 1 must have 't.x' once, but it comes twice: take one out."


def test_objects_over_several_lines_are_rows(tmp_path):
    path = tmp_path / "train.json"
    rows = [{"s": "a", "t": "b"}, {"s": "c", "t": "d"}]
    path.write_text("\n\n" + "\n".join(json.dumps(row, indent=1) for row in rows))
    assert pairs_of(path) == [("a", "b"), ("c", "d")]
    path.write_text(path.read_text() + "\n{")
    message = error_of(lambda: pairs_of(path))
    assert message.startswith(f"{path}, line 3 must be a JSON object, but cannot be read: ")


def test_json_needs_no_library(tmp_path, monkeypatch):
    imports = builtins.__import__

    def without(name, *rest, **options):
        assert name.partition(".")[0] not in ("datasets", "pyarrow", "pandas")
        return imports(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("seq2seq.data.corpora.hub.is_installed", lambda name: False)
    path = tmp_path / "train.jsonl"
    write_rows(path, [{"s": "a", "t": "b"}])
    assert pairs_of(path) == [("a", "b")]


def parquet_of(path: Path, source: object, **others: object) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"s": source, "t": pyarrow.array(["b"]), **others})
    pytest.importorskip("pyarrow.parquet").write_table(table, path)


def test_a_text_of_parquet_that_is_no_utf_8_is_told(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    path = tmp_path / "train.parquet"
    parquet_of(path, pyarrow.array([b"\xff"], pyarrow.binary()).view(pyarrow.string()))
    message = error_of(lambda: pairs_of(path))
    assert message.startswith(f"{path} cannot be read as Parquet: 'utf-8' codec can't decode byte 0xff")


def test_a_column_of_parquet_that_is_there_twice_is_refused_where_it_is_read(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    path = tmp_path / "train.parquet"
    table = pyarrow.table([pyarrow.array([letter]) for letter in "abc"], names=["s", "s", "t"])
    pytest.importorskip("pyarrow.parquet").write_table(table, path)
    assert error_of(lambda: pairs_of(path)) == f"{path} must have one column 's', but has 2: take out the others."
