"""Alignments: read from lines, and brought to pieces."""

from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from seq2seq.data.alignments import Alignment, spans
from seq2seq.data.corpora.parallel import ParallelCorpus
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.examples import Example, Splits
from seq2seq.data.piece_links import PieceLinks, piece_links
from seq2seq.data.splitting import Fingerprint
from seq2seq.data.text import TextForm, formed
from seq2seq.data.tokenizers import PieceOptions, Tokenizers, TokenizerTrainer
from seq2seq.errors import UserError

WORDS = ("words", "words")
LETTERS = ("characters", "words")


def learnt(source: str, target: str, *pairs: tuple[str, str], **options) -> Tokenizers:
    return TokenizerTrainer(source=source, target=target, **options).train(
        [Example(one, (other,)) for one, other in pairs]
    )


def test_a_line_is_links_without_repetition():
    assert Alignment.read("0-0 1-2 0-0", WORDS, "a b", "x y z") == Alignment(((0, 0), (1, 2)), WORDS)
    assert Alignment.read("", WORDS, "a", "x").links == ()


def test_units_are_words_or_characters_without_white_space():
    assert spans("ab  c", "words") == [(0, 2), (4, 5)]
    assert spans("ab  c", "characters") == [(0, 1), (1, 2), (4, 5)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0-0 2-0", "the source has 2 words, counted from 0, but 2-0 names 2."),
        ("0-1", "the target has 1 words, counted from 0, but 0-1 names 1."),
        ("0:0", "links must be two numbers each, such as 0-0, but one is '0:0'."),
    ],
)
def test_what_does_not_fit_the_pair_is_refused(line, message):
    with pytest.raises(UserError) as error:
        Alignment.read(line, WORDS, "a b", "x")
    assert str(error.value) == message


def test_words_that_are_pieces_keep_their_links_and_ends_are_linked():
    tokenizers = learnt("word", "word", ("the red house", "la maison rouge"))
    alignment = Alignment.read("0-0 1-2 2-1", WORDS, "the red house", "la maison rouge")
    assert piece_links(alignment, tokenizers, "the red house", "la maison rouge") == [(0, 0), (1, 2), (2, 1), (3, 3)]


def test_a_word_of_several_pieces_links_all_of_them_and_a_space_links_nothing():
    """`ab c` are the pieces a, b, space, c."""
    tokenizers = learnt("char", "word", ("ab c", "x y"))
    alignment = Alignment.read("0-1 1-0", WORDS, "ab c", "x y")
    assert piece_links(alignment, tokenizers, "ab c", "x y") == [(0, 3), (1, 0), (1, 1), (2, 4)]


def test_characters_link_the_piece_that_holds_them():
    tokenizers = learnt("word", "word", ("ab cd", "x y"))
    alignment = Alignment.read("1-0 2-1 3-1", LETTERS, "ab cd", "x y")
    assert piece_links(alignment, tokenizers, "ab cd", "x y") == [(0, 0), (1, 1), (2, 2)]


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_subwords_of_a_word_are_linked_to_all_of_the_other(kind):
    pairs = [("lower newest widest", "niedriger neueste weiteste")] * 20
    tokenizers = learnt(kind, kind, *pairs, source_size=24, target_size=24, exact_size=False)
    source, target = pairs[0]
    alignment = Alignment.read("0-2 1-1 2-0", WORDS, source, target)
    words = []
    for side, text in ((tokenizers.source, source), (tokenizers.target, target)):
        found, word = [], -1
        for piece in side.surface(text):
            word += piece.startswith("\u2581")
            found.append(word)
        words.append(found)
        assert len(found) > 3
    expected = {
        (row, column)
        for row, of_target in enumerate(words[1])
        for column, of_source in enumerate(words[0])
        if of_target == 2 - of_source
    }
    alone = {
        (row, column)
        for row, column in expected
        if "\u2581" not in (tokenizers.target.surface(target)[row], tokenizers.source.surface(source)[column])
    }
    found = set(piece_links(alignment, tokenizers, source, target))
    assert alone | {(len(words[1]), len(words[0]))} == found - (expected - alone)


def test_a_tokenizer_that_changes_text_is_refused():
    options = PieceOptions(normalization="nmt_nfkc_cf")
    tokenizers = learnt("char", "char", ("Ab", "x"), options=options)
    with pytest.raises(UserError) as error:
        piece_links(Alignment(((0, 0),)), tokenizers, "Ab", "x")
    assert str(error.value) == (
        "alignments need pieces of the text as it is, but the tokenizer changes 'Ab': set tokenizer normalization to "
        "identity."
    )


def test_rows_of_a_matrix_are_even_or_nothing():
    links = PieceLinks.of([[(0, 1)], [(0, 0), (2, 0), (2, 1)], []])
    found = links.matrix(torch.tensor([1, 2, 0]), 3, 2)
    assert_close(found, torch.tensor([[[1.0, 0], [0, 0], [0.5, 0.5]], [[0, 0]] * 3, [[0, 1], [0, 0], [0, 0]]]))


def corpus(folder: Path, lines: str, **options) -> ParallelCorpus:
    for side, text in (("source", "a b\nc\nd e\n"), ("target", "x y\nz z\nx\n")):
        (folder / f"train.{side}").write_text(text)
        (folder / f"dev.{side}").write_text(text)
    (folder / "links").write_text(lines)
    files = FileOptions(train=str(folder / "train.{side}"), dev=str(folder / "dev.{side}"))
    return ParallelCorpus(source="source", target="target", options=files, alignments=str(folder / "links"), **options)


def test_a_file_of_alignments_goes_with_train_alone(tmp_path):
    splits = corpus(tmp_path, "0-1 1-0\n\n1-0\n").load()
    assert [example.alignments[0].links for example in splits.train] == [((0, 1), (1, 0)), (), ((1, 0),)]
    assert not any(example.alignments for example in splits.dev)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("0-0\n0-0\n0-0\n0-0\n", "alignments must have a line for each of the 3 pairs of train, but {} has 4."),
        ("0-0\n0-0\n2-0\n", "{}, line 3: the source has 2 words, counted from 0, but 2-0 names 2."),
        ("0-0\nx\n2-0\n", "{}, line 2: links must be two numbers each, such as 0-0, but one is 'x'."),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_its_line(tmp_path, lines, message):
    with pytest.raises(UserError) as error:
        corpus(tmp_path, lines).load()
    assert str(error.value) == message.format(tmp_path / "links")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    made = corpus(tmp_path, "0-0\n")
    (tmp_path / "links").unlink()
    with pytest.raises(UserError, match="^alignments=.*links does not exist"):
        made.load()


def test_another_unit_is_refused(tmp_path):
    with pytest.raises(UserError) as error:
        corpus(tmp_path, "0-0\n", aligned_target="letters")
    assert str(error.value) == "aligned_target must be one of words, characters, but is 'letters'."


def test_the_form_of_text_keeps_alignments_and_a_fingerprint_tells_them():
    one, other = Alignment(((0, 0),)), Alignment(())
    examples = [Example(" a", ("x ", "x", "y"), (one, other, other))]
    assert formed(TextForm(), examples) == [Example("a", ("x", "y"), (one, other))]
    plain = [Example("a", ("x",))]
    assert Fingerprint.of(plain) != Fingerprint.of([Example("a", ("x",), (one,))])


def test_batches_have_the_links_of_the_pairs_that_are_kept():
    long, alignment = "a " * 9 + "a", Alignment(((0, 0),))
    train = [
        Example(long, ("x",), (alignment,)),
        Example("a b", ("x y",), (Alignment(((0, 1), (1, 0))),)),
        Example("b", ("x",)),
    ]
    tokenizers = TokenizerTrainer(source="word", target="word").train(train)
    data = Seq2SeqDataModule(splits=Splits(train, train[1:]), tokenizers=tokenizers, max_length=4)
    batch = data.train_pairs.batch(torch.tensor([0, 1]), step_tokens=1.0)
    assert batch.alignments.tolist() == [[[0, 1, 0], [1, 0, 0], [0, 0, 1]], [[0] * 3] * 3]
    assert data.dev_pairs.links is None
    twice = batch.twice()
    assert torch.equal(twice.alignments, torch.cat([batch.alignments] * 2))
