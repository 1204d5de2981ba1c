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


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("comment", ["  # place, danish", "\t#1", " # a #b"])
def test_a_comment_at_the_end_of_a_line_is_left_out(tmp_path, comment):
    path = written(tmp_path / "a.dict", f"aalborg AO1 L{comment}\n #all\n#hash HH AE1 SH\n")
    assert read_pairs(path, LEXICON) == [("aalborg", "AO1 L"), ("#hash", "HH AE1 SH")]


def test_a_line_of_no_row_is_none_that_fits_not(tmp_path, caplog):
    path = written(tmp_path / "x.dict", ";;; comment\nREAD  R IY D\nBE\nME  M IY\nHE  HH IY\n")
    assert list(sources_in(path, LEXICON)) == ["READ  R IY D", "BE", "ME  M IY", "HE  HH IY"]
    assert "line 3 has 1 column, where most of the first 4 have 2" in caplog.text


def test_tabs_behind_words_are_white_space_of_a_lexicon_beside_one(tmp_path):
    path = written(tmp_path / "dev.dict", ";;; by\tme\nREAD\tR IY D\nREAD(2)\tR EH D # past\nBE\tB IY\n")
    pairs = [("READ", "R IY D"), ("READ", "R EH D"), ("BE", "B IY")]
    assert read_pairs(path, LEXICON) == list(pairs_in(path, LEXICON, perhaps=True)) == pairs
    assert list(sources_in(path, LEXICON)) == ["READ", "READ", "BE"]
    assert list(read_tsv(path, LEXICON, perhaps=True)) == list(read_tsv(path, LEXICON))


def test_words_of_a_table_beside_a_lexicon_do_not_say_what_cuts_it(tmp_path):
    rows = [("a lexicon", "L EH K"), ("a word", "W ER D")]
    path = written(tmp_path / "dev.tsv", "".join(f"{source}\t{target}\n" for source, target in rows))
    assert list(pairs_in(path, LEXICON, perhaps=True)) == rows
    path = written(tmp_path / "dev.csv", "".join(f"{source},{target}\n" for source, target in rows))
    assert list(pairs_in(path, LEXICON, perhaps=True)) == rows
    path.write_text(path.read_text(encoding="utf-8") + "one,W AH N,1\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 3 must have 2 columns, but has 3"):
        list(pairs_in(path, LEXICON, perhaps=True))


@pytest.mark.parametrize("text", ["READ 1.0 R IY D\nREAD .5 R EH D\n", "READ\t0.99\t0.2\tR IY D\nBE\t1\t1.0\tB IY\n"])
def test_probabilities_are_no_phones(tmp_path, text):
    path = written(tmp_path / "lexiconp.txt", text)
    with pytest.raises(UserError) as error:
        read_pairs(path, LEXICON)
    first = " ".join(text.splitlines()[0].split())
    assert str(error.value) == (
        f"{path} must have the phones of each word behind it, but has probabilities, as in {first!r}: "
        "take these columns out."
    )


def test_digits_may_be_symbols(tmp_path):
    path = written(tmp_path / "morse.txt", "A 0 1\nB 1 0 0 0\n")
    assert read_pairs(path, LEXICON) == [("A", "0 1"), ("B", "1 0 0 0")]


@pytest.mark.parametrize("read", [read_pairs, lambda *args: list(sources_in(*args))])
def test_a_lexicon_needs_more_than_comments(tmp_path, read):
    path = written(tmp_path / "x.dict", ";;; a comment\n;;; another\n")
    with pytest.raises(UserError) as error:
        read(path, LEXICON)
    assert str(error.value) == f"{path} must hold at least one row that is no comment."


def test_comments_before_a_lexicon_may_be_many(tmp_path):
    path = written(tmp_path / "x.dict", ";;; a comment\n" * 150 + "READ  R IY D\nBE  B IY\n")
    assert list(sources_in(path, LEXICON)) == ["READ", "BE"]


def test_titles_below_a_comment_are_a_header(tmp_path):
    path = written(tmp_path / "x.dict", ";;; a comment\nword phones\nREAD  R IY D\nBE  B IY\nME  M IY\n")
    assert read_pairs(path, LEXICON) == [("READ", "R IY D"), ("BE", "B IY"), ("ME", "M IY")]


@pytest.mark.parametrize(
    "lines",
    [["New York", "Los Angeles", "San Francisco"], ["Dogs eat meat", "Cats like fresh fish"], ["Vitamin C"]],
)
def test_lines_of_words_beside_a_lexicon_are_sources(tmp_path, caplog, lines):
    path = written(tmp_path / "x.txt", "\n".join(lines) + "\n")
    assert list(sources_in(path, LEXICON)) == lines
    assert "and not as pairs: its lines look like no words with their phones" in caplog.text


def test_words_alone_are_sources_beside_a_lexicon(tmp_path, caplog):
    path = written(tmp_path / "x.txt", ";;; words\nREAD\nBE\n")
    assert list(sources_in(path, LEXICON)) == ["READ", "BE"]
    assert not caplog.text


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
