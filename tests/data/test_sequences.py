import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from seq2seq.data.sequences import TokenSequences
from seq2seq.symbols import EOS, PAD

LAW = settings(deadline=None, max_examples=80)
some_sentences = st.lists(st.lists(st.integers(4, 30), max_size=6), min_size=1, max_size=8)


def padded(sentences: list[list[int]], end: list[int]) -> torch.Tensor:
    """Written out: every sentence, its end, and PAD up to the longest."""
    ended = [sentence + end for sentence in sentences]
    width = max(map(len, ended))
    return torch.tensor([row + [PAD] * (width - len(row)) for row in ended], dtype=torch.long).view(len(ended), width)


@LAW
@given(some_sentences, st.booleans(), st.data())
def test_rows_are_the_sentences_padded_one_by_one(sentences, end, data):
    indices = data.draw(st.lists(st.integers(0, len(sentences) - 1), min_size=1, max_size=10))
    ids, lengths = TokenSequences.from_ids(sentences).padded(torch.tensor(indices), end=end)
    chosen = [sentences[index] for index in indices]
    assert_close(ids, padded(chosen, [EOS] if end else []), rtol=0, atol=0)
    assert lengths.tolist() == [len(sentence) + end for sentence in chosen]


@LAW
@given(some_sentences)
def test_eos_is_exactly_behind_the_last_token(sentences):
    ids, lengths = TokenSequences.from_ids(sentences).padded(torch.arange(len(sentences)), end=True)
    assert ((ids == EOS).sum(1) == 1).all()
    assert (ids == EOS).int().argmax(1).tolist() == (lengths - 1).tolist()


def test_reading_rows_leaves_the_store_unchanged():
    sequences = TokenSequences.from_ids([[5], [6, 7], []])
    before = sequences.flat.clone()
    sequences.padded(torch.tensor([0, 1, 2]), end=True)
    assert_close(sequences.flat, before)


def test_a_row_alone_is_as_wide_as_itself():
    sequences = TokenSequences.from_ids([[5, 6, 7, 8], [9]])
    assert sequences.padded(torch.tensor([1]), end=True)[0].tolist() == [[9, EOS]]
    assert sequences.padded(torch.tensor([1]), end=False)[0].tolist() == [[9]]


def test_empty_sentences_are_nothing_but_eos():
    sequences = TokenSequences.from_ids([[], []])
    ids, lengths = sequences.padded(torch.tensor([0, 1]), end=True)
    assert ids.tolist() == [[EOS], [EOS]]
    assert lengths.tolist() == [1, 1]
    ids, lengths = sequences.padded(torch.tensor([0, 1]), end=False)
    assert ids.shape == (2, 0)
    assert lengths.tolist() == [0, 0]


def test_length_is_the_number_of_sentences():
    assert len(TokenSequences.from_ids([])) == 0
    assert len(TokenSequences.from_ids([[], [4], []])) == 3
