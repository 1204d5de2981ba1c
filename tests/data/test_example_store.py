"""Examples in flat arrays are the examples that they were."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.data.alignments import Alignment
from seq2seq.data.encoding import _AT_ONCE as PAIRS_AT_ONCE
from seq2seq.data.encoding import encoded
from seq2seq.data.example_store import _AT_ONCE, Examples, group
from seq2seq.data.examples import Example
from seq2seq.data.sequences import SequenceWriter, TokenSequences
from seq2seq.data.splitting import placed, rank
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.symbols import PAD

texts = st.text(max_size=5)
alignments = st.sampled_from([(), (Alignment(((0, 0),)),)])
parts = st.tuples(texts, st.lists(texts, max_size=3).map(tuple), alignments, st.sampled_from(["", "a", "b"]))


@given(columns=st.lists(parts, max_size=8), data=st.data())
def test_they_come_back_as_they_were_one_by_one_and_chosen(columns, data):
    given = [Example(*own) for own in columns]
    stored = Examples.of(iter(given))
    assert list(stored) == given
    assert stored == given
    assert given == stored
    assert [stored[place] for place in range(-len(given), len(given))] == given * 2
    cut = slice(data.draw(st.none() | st.integers(-9, 9)), None, data.draw(st.sampled_from([None, 1, 2, -1])))
    assert stored[cut] == given[cut]
    assert stored.aligned == any(own.alignments for own in given)
    assert stored[cut].pair_count == sum(len(own.targets) for own in given[cut])
    rows = data.draw(st.lists(st.sampled_from(range(len(given))), max_size=9) if given else st.just([]))
    assert stored.chosen(np.array(rows, dtype=np.int64)) == [given[row] for row in rows]


def test_a_lone_surrogate_and_an_emoji_come_back():
    given = [Example("\ud800", ("\U0001f600", "é"))]
    assert Examples.of(given) == given


def test_there_may_be_more_than_are_made_at_once():
    given = [Example(str(number), (str(-number),)) for number in range(2 * _AT_ONCE + 3)]
    stored = Examples.of(given)
    assert stored == given
    assert stored != given[1:]
    assert stored != [*given[:-1], given[0]]
    with pytest.raises(IndexError):
        stored[len(given)]


@given(pairs=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz")), max_size=20))
def test_pairs_of_one_source_are_one_example_where_it_first_stood(pairs):
    known: dict[str, dict[str, None]] = {}
    for source, target in pairs:
        known.setdefault(source, {})[target] = None
    assert group(iter(pairs)) == [Example(source, tuple(targets)) for source, targets in known.items()]


def test_sources_of_one_hash_are_still_several(monkeypatch):
    monkeypatch.setattr("seq2seq.data.example_store.hash", lambda text: 7, raising=False)
    assert group([("a", "x"), ("b", "y"), ("a", "z")]) == [Example("a", ("x", "z")), Example("b", ("y",))]


def test_where_places_are_alike_texts_decide():
    given = [Example(source, ("x",)) for source in ("b", "a ", "c", "a", " a")]  # of one place: a, with white space
    places, rows = placed(Examples.of(given), seed=1)
    wanted = sorted(given, key=lambda one: (rank(one.source, 1), one.source, one.targets))
    assert Examples.of(given).chosen(rows) == wanted
    assert places.tolist() == [rank(one.source, 1) for one in wanted]


IDS = st.integers(4, 9) | st.integers(250, 260) | st.integers(32_760, 32_770) | st.integers(4, 40_000)


@given(sentences=st.lists(st.lists(IDS, max_size=4), max_size=6), cut=st.integers(0, 6))
def test_ids_are_the_same_in_one_byte_in_two_and_in_four(sentences, cut):
    writer = SequenceWriter()
    writer.extend(sentences[:cut])
    writer.extend(sentences[cut:])
    found = writer.sequences()
    assert found.flat.tolist() == [*(index for own in sentences for index in own), PAD]
    assert found.lengths.tolist() == list(map(len, sentences))
    assert (found.starts[1:] - found.starts[:-1]).tolist() == found.lengths[:-1].tolist()
    largest = max((index for own in sentences for index in own), default=0)
    assert found.flat.element_size() == (4 if largest > 32767 else 2 if largest > 255 else 1)
    assert found.lengths.element_size() == found.starts.element_size() == 4


@given(sentences=st.lists(st.lists(st.integers(4, 9), max_size=3), min_size=1, max_size=6), data=st.data())
def test_sentences_that_are_kept_are_as_if_there_had_been_no_others(sentences, data):
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(sentences), max_size=len(sentences))))
    wanted = TokenSequences.from_ids([own for own, stays in zip(sentences, kept, strict=True) if stays])
    writer = SequenceWriter()
    writer.extend(sentences, kept)
    for found in (writer.sequences(), TokenSequences.from_ids(sentences).kept(torch.from_numpy(kept))):
        assert all((getattr(found, name) == getattr(wanted, name)).all() for name in ("flat", "starts", "lengths"))


def _many(number: int) -> list[tuple[str, str]]:
    return [(f"word{place}", f"w o r d {place}") for place in range(number)]


def test_parts_that_are_encoded_together_make_no_difference():
    pairs = [*_many(PAIRS_AT_ONCE - 1), ("", "x"), ("y", ""), ("a" * 30, "b"), ("last", "l a s t")]
    stored = group(pairs)
    tokenizers = TokenizerTrainer(source="char", target="char").train(stored)
    found = encoded(stored, tokenizers, max_length=20)
    usable = [*range(PAIRS_AT_ONCE - 1), len(pairs) - 1]
    assert (found.empty, found.long) == (2, 1)
    assert found.kept.tolist() == found.pairs.owners.tolist() == usable
    source, target = tokenizers.encode_pairs(*zip(*(pairs[row] for row in usable), strict=True))
    for side, wanted in ((found.pairs.source, source), (found.pairs.target, target)):
        assert side.flat.tolist() == TokenSequences.from_ids(wanted).flat.tolist()


def test_examples_and_their_ids_take_a_few_bytes_beside_their_text():
    pairs = _many(50_000)
    size = sum(len(source) + len(target) for source, target in pairs)
    tracemalloc.start()
    stored = group(iter(pairs))
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1.15 * size + 25 * len(pairs)
    assert peak < 3 * size + 100 * len(pairs)
    assert len(stored) == len(pairs)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("a", "x"), ("b", "y"), ("a", "z")], []),
        (
            [("a", "x"), ("b", "y"), ("a", "x")],
            ["here: left out 1 pair that repeats an earlier one (each counts once)"],
        ),
        ([("a", "x"), *[("b", "y")] * 3], ["here: left out 2 pairs that repeat an earlier one (each counts once)"]),
        ([], []),
    ],
)
def test_how_many_pairs_come_again_is_said_with_their_place(pairs, said, caplog):
    assert group(iter(pairs), "here").pair_count == len({*pairs})
    assert caplog.messages == said
    group(iter(pairs))
    assert caplog.messages == said
