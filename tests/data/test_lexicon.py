"""Lexicons of words and their phones, with white space between all."""

import gzip

import pytest

from seq2seq.data.corpora.columns import Columns
from seq2seq.data.corpora.lexicon import is_lexicon
from seq2seq.data.corpora.pair_table import pairs_in, read_pairs, sources_in
from seq2seq.data.corpora.tsv import read_tsv
from seq2seq.data.examples import Example
from seq2seq.errors import UserError

LINES = [
    ";;; # comment",
    "HELLO  HH AH0 L OW1",
    "HELLO(2)\tHH EH0 L OW1",
    "(2) T UW1",
    "!EXCLAMATION  EH K S",
    "A AH0 ",
]
PAIRS = [
    ("HELLO", "HH AH0 L OW1"),
    ("HELLO", "HH EH0 L OW1"),
    ("(2)", "T UW1"),
    ("!EXCLAMATION", "EH K S"),
    ("A", "AH0"),
]
LEXICON = Columns(delimiter="lexicon")


@pytest.fixture
def lexicon(tmp_path):
    path = tmp_path / "lexicon.dict"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


def test_words_and_phones_are_pairs(lexicon):
    assert read_pairs(lexicon, LEXICON) == PAIRS


def test_variants_are_other_answers_of_their_word(lexicon):
    assert next(iter(read_tsv(lexicon, LEXICON))) == Example("HELLO", ("HH AH0 L OW1", "HH EH0 L OW1"))


def test_a_packed_lexicon_is_read(lexicon, tmp_path):
    packed = tmp_path / "lexicon.csv.gz"
    packed.write_bytes(gzip.compress(lexicon.read_bytes()))
    assert read_pairs(packed, LEXICON) == PAIRS


def test_a_word_without_phones_is_told_by_its_line(tmp_path):
    path = tmp_path / "lexicon.txt"
    path.write_text("A AH0\nBE\n", encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_pairs(path, LEXICON)
    assert (
        str(error.value)
        == f"{path}, line 2 must have 2 columns, but has 1: 'BE'. Give it 2 columns, as other lines have."
    )


def test_files_beside_a_lexicon_may_be_lexicons_or_tables(lexicon, tmp_path):
    table = tmp_path / "dev.tsv"
    table.write_text("A B\tAH0 B\nB\tB\n", encoding="utf-8")
    assert list(pairs_in(lexicon, LEXICON, perhaps=True)) == PAIRS
    assert list(pairs_in(table, LEXICON, perhaps=True)) == [("A B", "AH0 B"), ("B", "B")]
    assert list(sources_in(lexicon, LEXICON)) == [word for word, _ in PAIRS]


def test_a_lexicon_that_is_read_as_a_table_is_told_to_be_one(tmp_path):
    path = tmp_path / "lexicon.dict"
    path.write_text("HELLO  HH AH L OW\nHOLE  HH OW L\nLOW  L OW\nOWL  AW L\nALL  AO L\n", encoding="utf-8")
    for columns, how in ((Columns(), "give data.delimiter=lexicon."), (None, "put a tab behind each word.")):
        with pytest.raises(UserError) as error:
            read_pairs(path, columns)
        assert str(error.value).endswith(f" It is a lexicon of words and their phones, as it seems: {how}")


@pytest.mark.parametrize(
    "lines", [["the cat sat on the mat", "the dog ate a good bone", "the end"], ["one", "two"], []]
)
def test_sentences_are_no_lexicon(lines):
    assert not is_lexicon(lines)
