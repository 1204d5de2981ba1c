"""Whatever holds pairs gives the same examples."""

import datasets
import pandas
import pytest

from seq2seq.data.examples import Example
from seq2seq.errors import UserError
from seq2seq.library.pairs import PairSplits, _rows, examples_of, pairs_of

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


@pytest.mark.parametrize("given", [5, b"ab", None])
def test_what_holds_no_pairs_is_refused(given):
    with pytest.raises(UserError) as error:
        _rows(given, "dev")
    assert str(error.value) == (
        f"dev must be pairs, a table or the path of a file, but is of type {type(given).__name__}."
    )
