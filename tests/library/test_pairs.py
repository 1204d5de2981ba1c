"""Whatever holds pairs gives the same examples."""

import json

import datasets
import numpy
import pandas
import pytest

from seq2seq.data.examples import Example
from seq2seq.errors import UserError
from seq2seq.library.pair_splits import PairSplits
from seq2seq.library.pairs import _rows, examples_of, pairs_of
from seq2seq.library.row_advice import row_advice

PAIRS = [("ab", "b a"), ("cd", "d c"), ("ab", "a b")]
EXAMPLES = [Example("ab", ("b a", "a b")), Example("cd", ("d c",))]
FORMS = {
    "list": list(PAIRS),
    "generator": (pair for pair in PAIRS),
    "lists of targets": [("ab", ["b a", "a b"]), ("cd", ("d c",))],
    "dict": {"ab": ["b a", "a b"], "cd": "d c"},
    "examples": EXAMPLES,
    "mappings": [{"source": source, "target": target} for source, target in PAIRS],
    "two columns": pandas.DataFrame(PAIRS, columns=["word", "phones"]),
    "named columns": pandas.DataFrame(PAIRS, columns=["target", "source"])
    .assign(source=[source for source, _ in PAIRS], target=[target for _, target in PAIRS])
    .assign(note="x"),
    "numbered columns": pandas.DataFrame(PAIRS),
    "an array": numpy.array(PAIRS),
    "an array of objects": numpy.array(PAIRS, dtype=object),
    "arrays of targets": [("ab", numpy.array(["b a", "a b"])), ("cd", numpy.array(["d c"], dtype=object))],
    "lists of columns": {"source": [source for source, _ in PAIRS], "target": [target for _, target in PAIRS]},
    "columns of a dict and more": {"target": ["b a", "d c", "a b"], "note": "x", "source": ("ab", "cd", "ab")},
    "data set": datasets.Dataset.from_dict({"source": [s for s, _ in PAIRS], "target": [t for _, t in PAIRS]}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_the_same_examples(form):
    assert examples_of(FORMS[form]) == EXAMPLES


def test_a_file_holds_them_too(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS), encoding="utf-8")
    assert examples_of(path) == examples_of(str(path)) == EXAMPLES
    assert pairs_of(path) == PAIRS  # in their order, for scores


@pytest.mark.parametrize("ending", ["jsonl", "json", "parquet"])
def test_a_file_beside_pairs_in_memory_is_read_as_its_kind(tmp_path, ending):
    path, rows = tmp_path / f"dev.{ending}", [{"source": source, "target": target} for source, target in PAIRS]
    if ending == "parquet":
        pandas.DataFrame(rows).to_parquet(path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    for dev in (path, str(path)):
        assert PairSplits.of(PAIRS, dev, None).kept == {"train": EXAMPLES, "dev": EXAMPLES}


def test_rows_in_order_are_an_example_each():
    rows = [*PAIRS, ("ab", "b a"), ("cd", ["d", "c"])]
    wanted = [*(Example(source, (target,)) for source, target in [*PAIRS, PAIRS[0]]), Example("cd", ("d", "c"))]
    assert examples_of(rows, in_order=True) == wanted


def test_files_stay_where_they_are_and_other_pairs_are_kept(tmp_path):
    splits = PairSplits.of("a.csv", "b.tsv", None)
    assert splits.keywords == {"data": "tsv", "data.train": "a.csv", "data.dev": "b.tsv"}
    assert splits.kept == {}
    splits = PairSplits.of("a.jsonl", None, None)
    assert splits.keywords == {"data": "json", "data.train": "a.jsonl"}
    splits = PairSplits.of(PAIRS, None, {"x": "y"})
    assert splits.kept == {"train": EXAMPLES, "test": [Example("x", ("y",))]}
    config = {"data": {}}
    with splits.in_folder(tmp_path, config):
        (tmp_path / "config.yaml").touch()
    assert config["data"] == {name: str(tmp_path / "pairs" / f"{name}.jsonl") for name in ("train", "test")}
    first = (tmp_path / "pairs" / "train.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert first == '{"source": "ab", "targets": ["b a", "a b"]}'


SPLITS = {"train": PAIRS, "test": PAIRS}
HELD_OUT = ": data__dev_size says how many are held out"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            pandas.DataFrame(PAIRS, columns=["source", "source"]),
            "must have each column once, but has 'source' 2 times.",
        ),
        (pandas.DataFrame(PAIRS, columns=[0, 0]), "must have each column once, but has 0 2 times."),
        (pandas.DataFrame([("a", "b", "c")], columns=["source", "target", "source"]), "must have each column once"),
        (
            pandas.DataFrame([("a", "b", "c")]),
            "must have columns source and target, or two columns, but has 0, 1, 2: choose two, of a data frame as in "
            "frame[[1, 2]].",
        ),
        (
            pandas.DataFrame([(1, "a", "b")], columns=["id", "word", "phones"]),
            "must have columns source and target, or two columns, but has id, word, phones: choose two, of a data "
            "frame as in frame[['word', 'phones']].",
        ),
        ({"source": ["a"], "target": []}, "must have as many sources as targets, but has 1 and 0."),
        (SPLITS, "must be one split, but is a dict of train, test: give ['train'] of it."),
        (
            datasets.DatasetDict(train=datasets.Dataset.from_dict({"source": ["a"], "target": ["b"]})),
            "must be one split, but is a dict of train: give ['train'] of it.",
        ),
        (
            datasets.DatasetDict({name: datasets.Dataset.from_dict({"source": ["a"]}) for name in ("x", "y")}),
            "must be one split, but is a dict of x, y: give ['x'] of it.",
        ),
    ],
)
def test_a_table_that_is_not_one_of_pairs_is_told(given, message):
    with pytest.raises(UserError) as error:
        examples_of(given, "dev")
    assert str(error.value).startswith(f"dev {message}")


def test_words_that_name_splits_and_columns_are_pairs_too():
    pairs = {"source": "Quelle", "target": ["Ziel", "Soll"], "train": "Zug"}
    assert examples_of(pairs) == [
        Example("source", ("Quelle",)),
        Example("target", ("Ziel", "Soll")),
        Example("train", ("Zug",)),
    ]
    assert examples_of({"train": ["Zug", "Bahn"], "test": "Probe"})[0] == Example("train", ("Zug", "Bahn"))


@pytest.mark.parametrize("row", [("a" * 10**6,), ("a", {"b": "c" * 10**6}), "a" * 10**6])
def test_what_is_no_pair_is_shown_in_short(row):
    with pytest.raises(UserError) as error:
        pairs_of([("a", "b"), row])
    assert str(error.value).startswith("pairs[1] must be a source and a target, two texts, but is ")
    assert str(error.value).endswith(f"...{row_advice(row)}.")
    assert len(str(error.value).removesuffix(f"{row_advice(row)}.")) < 160


@pytest.mark.parametrize("half", [chr(0xD800), chr(0xDFFF)])
@pytest.mark.parametrize("pair", ["{}|b", "a|b{}", "a|b|c{}"])
def test_half_a_surrogate_pair_is_told_by_number(pair, half):
    source, *targets = pair.format(half).split("|")
    with pytest.raises(
        UserError, match=r"^pairs\[1\] must hold whole characters, but has half a surrogate pair, '\\ud"
    ):
        pairs_of([("a", "b 😀"), (source, targets)])


@pytest.mark.parametrize(("given", "advice"), [(b"ab", ""), (None, ""), *((share, HELD_OUT) for share in (5, 0.1))])
def test_what_holds_no_pairs_is_refused(given, advice):
    with pytest.raises(UserError) as error:
        _rows(given, "dev")
    assert str(error.value) == (
        f"dev must be pairs, a table or the path of a file, but is of type {type(given).__name__}{advice}."
    )


@pytest.mark.parametrize(
    ("row", "advice"),
    [
        (("a", None), "leave out rows that lack one, of a data frame by dropna()"),
        (("a", float("nan")), "leave out rows that lack one, of a data frame by dropna()"),
        ((pandas.NA, "b"), "leave out rows that lack one, of a data frame by dropna()"),
        ((b"a", b"b"), "decode bytes, as in source.decode()"),
        ((["a", "b"], ["c", "d"]), "join tokens to one text, as in ' '.join(source)"),
        ((3, "three"), "make it a text, as in str(3)"),
        (("en", "a", "b"), "choose two of them, or pair whole columns by zip(sources, targets)"),
        (
            {"src": "a", "tgt": "b"},
            "name them source and target, as in {'source': ..., 'target': ...}, not 'src', 'tgt'",
        ),
        ("pairs.tsv", "pair texts by zip(sources, targets)"),
    ],
)
def test_what_to_do_about_a_row_that_is_no_pair_is_told(row, advice):
    with pytest.raises(UserError) as error:
        pairs_of([("a", "b"), row])
    assert str(error.value) == f"pairs[1] must be a source and a target, two texts, but is {row!r}: {advice}."


WORDS = [("timbre", "T IH M B ER"), ("mum", "M AH M"), ("tim", "T IH M"), ("beer", "B IH R"), ("rim", "R IH M")]


def test_lists_that_look_like_tokens_are_told(caplog):
    found = pairs_of([(word, phones.split()) for word, phones in WORDS])
    assert [record.getMessage() for record in caplog.records] == [
        "pairs: each of a list of targets is an answer by itself, but ['M', 'AH', 'M'] has 'M' twice: where these are "
        "the tokens of one answer, join them, as in ' '.join(target)"
    ]
    assert found[:2] == [("timbre", "T"), ("timbre", "IH")]


@pytest.mark.parametrize(
    "pairs",
    [
        [(word, [phones, phones.replace("IH", "IY"), phones]) for word, phones in WORDS],  # one of them twice
        [(word, ["verb", "noun"]) for word, _ in WORDS],  # labels: few, and each once
        [(word, [word.upper(), word.title(), word.upper()]) for word, _ in WORDS],  # each source's own
    ],
)
def test_lists_of_answers_are_taken_for_these(pairs, caplog):
    assert [example.targets for example in examples_of(pairs)] == [
        tuple(dict.fromkeys(targets)) for _, targets in pairs
    ]
    assert not any("tokens" in record.getMessage() for record in caplog.records)
