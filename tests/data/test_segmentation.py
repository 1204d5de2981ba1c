"""Subwords drawn anew in every epoch."""

import math
import threading
from collections import Counter
from itertools import pairwise, product
from random import Random

import pytest
import torch

from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.drawn_pieces import MergedPieces, PieceTable, UnigramPieces
from seq2seq.data.examples import Example, Splits
from seq2seq.data.piece_options import PieceOptions
from seq2seq.data.segmentation import SampledSegmentation
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.errors import UserError

UNIGRAM = [[8, 10], [11, 7], [4, 9, 7], [11, 7]]
MERGED = [[4, 5, 6, 7], [4, 9, 7], [11, 7], [11, 7]]
WORDS = ["lowest", "newest", "widest", "lower", "newer", "wider", "low", "new", "wide"]
EXAMPLES = [Example(f"{one} {two}", (f"{two} {one}",)) for one in WORDS for two in WORDS]


def data_of(kind: str, *, joint: bool = True, max_length: int = 40, seed: int = 1) -> Seq2SeqDataModule:
    size = 40 if kind in ("unigram", "bpe") else None
    trainer = TokenizerTrainer(
        source=kind, target=kind, source_size=size, target_size=size, joint=joint, exact_size=False
    )
    splits = Splits(EXAMPLES, EXAMPLES[:4], [])
    return Seq2SeqDataModule(
        splits=splits, tokenizers=trainer.train(EXAMPLES), max_tokens=200, max_length=max_length, seed=seed
    )


def ids_of(sequences) -> list[list[int]]:
    rows = torch.arange(len(sequences))
    padded, lengths = sequences.padded(rows, end=False)
    return [ids[:length].tolist() for ids, length in zip(padded, lengths, strict=True)]


def drawn(data: Seq2SeqDataModule, epoch: int) -> list[list[list[int]]]:
    pairs, _ = data.train_epoch(epoch)
    return [ids_of(pairs.source), ids_of(pairs.target)]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_epochs_differ_and_are_functions_of_seed_and_number(kind):
    data, again, other = data_of(kind), data_of(kind), data_of(kind, seed=2)
    plain = [ids_of(data.train_pairs.source), ids_of(data.train_pairs.target)]
    for one in (data, again, other):
        one.segment(SampledSegmentation(), [kind, kind])
    first = drawn(data, 0)
    assert first not in (plain, drawn(data, 1), drawn(other, 0))
    found = []
    thread = threading.Thread(target=lambda: found.append(drawn(again, 0)))  # of its own random numbers
    thread.start()
    thread.join()
    assert found == [first] == [drawn(data, 0)]


TEXTS = ["lowest wider", "new  newest", "w\u00e9ird \u00e9\u00e9 low", "%s of %d new", "a", "", "widest" * 6]


def cut(kind: str, symbols=()):
    options = PieceOptions(symbols=symbols)
    trainer = TokenizerTrainer(
        source=kind, target=kind, source_size=40, target_size=40, joint=True, exact_size=False, options=options
    )
    return trainer.train(EXAMPLES).source


@pytest.mark.parametrize(("kind", "strength"), [("unigram", 1e6), ("bpe", 0.0)])
@pytest.mark.parametrize("symbols", [(), ("%s", "%d")], ids=["plain", "symbols"])
def test_without_chance_pieces_are_sentencepiece_s_own(kind, strength, symbols):
    tokenizer = cut(kind, symbols)
    texts = [*TEXTS, *(example.source for example in EXAMPLES)]
    assert tokenizer.sample(texts, strength, 1) == tokenizer.encode(texts)


@pytest.mark.parametrize(("kind", "strength"), [("unigram", 0.1), ("bpe", 0.5)])
def test_symbols_stay_whole_and_texts_come_back(kind, strength):
    tokenizer = cut(kind, ("%s", "%d"))
    for seed in range(20):
        (ids,) = tokenizer.sample(["%s of %d lowest"], strength, seed)
        assert {"%s", "%d"} <= {piece.strip("\u2581") for piece in tokenizer.pieces(ids)}
        assert tokenizer.decode(tokenizer.sample(["lowest wider new"], strength, seed)) == ["lowest wider new"]


@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_each_way_to_cut_a_word_comes_as_often_as_its_probability_says(alpha):
    """Against all ways of one word, by brute force."""
    pieces = {"a": (4, -1.0), "b": (5, -2.0), "ab": (6, -2.5), "ba": (7, -1.5), "aba": (8, -4.0)}
    weights = {}
    for bars in product([False, True], repeat=2):
        cuts = [0, *(place for place, bar in enumerate(bars, 1) if bar), 3]
        parts = ["aba"[start:end] for start, end in pairwise(cuts)]
        weights[tuple(pieces[part][0] for part in parts)] = math.exp(alpha * sum(pieces[part][1] for part in parts))
    numbers, draws = Random(1), 20_000
    draw = UnigramPieces(PieceTable(pieces, [], 1), alpha)
    counts = Counter(tuple(draw("aba", numbers)) for _ in range(draws))
    for ids, weight in weights.items():
        share = weight / sum(weights.values())
        assert abs(counts[ids] / draws - share) < 4 * math.sqrt(share * (1 - share) / draws)
    assert counts.keys() == weights.keys()


def test_merges_are_left_out_as_often_as_asked():
    pieces = {"a": (4, -3.0), "b": (5, -4.0), "ab": (6, 0.0)}
    draw, numbers = MergedPieces(PieceTable(pieces, [], 1), 0.3), Random(1)
    merged = sum(draw("ab", numbers) == [6] for _ in range(10_000))
    assert abs(merged / 10_000 - 0.7) < 0.02


def test_pieces_that_are_drawn_are_the_same_in_any_process():
    """Written down: SentencePiece's own numbers differ from process to process."""
    pieces = {letter: (4 + place, -1.0 - place) for place, letter in enumerate("abcd")}
    pieces |= {"ab": (8, -2.0), "bc": (9, -2.5), "cd": (10, -3.0), "abc": (11, -3.5)}
    numbers = Random(7)
    draw, merge = UnigramPieces(PieceTable(pieces, [], 1), 0.1), MergedPieces(PieceTable(pieces, [], 1), 0.5)
    assert [draw("abcd", numbers) for _ in range(4)] == UNIGRAM
    assert [merge("abcd", numbers) for _ in range(4)] == MERGED


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_texts_stay_what_they_are_and_each_comes_once(kind):
    data = data_of(kind)
    data.segment(SampledSegmentation(), [kind, kind])
    pairs, batches = data.train_epoch(3)
    texts = [data.tokenizers.source.decode(ids_of(side)) for side in (pairs.source, pairs.target)]
    assert texts == [[example.source for example in EXAMPLES], [example.targets[0] for example in EXAMPLES]]
    assert torch.cat(batches).sort().values.tolist() == list(range(len(EXAMPLES)))
    for rows in batches:
        width = (pairs.source.lengths[rows] + 1).max() + (pairs.target.lengths[rows] + 1).max()
        assert len(rows) == 1 or len(rows) * int(width) <= 200


def test_strength_says_how_far_pieces_are_from_the_likeliest():
    def tokens(segmentation, kind):
        data = data_of(kind)
        data.segment(segmentation, [kind, kind])
        return sum(map(len, drawn(data, 0)[0]))

    likeliest = sum(map(len, ids_of(data_of("bpe").train_pairs.source)))
    counts = [tokens(SampledSegmentation(merge_dropout=share), "bpe") for share in (0.05, 0.3, 1.0)]
    assert likeliest < counts[0] < counts[1] < counts[2]
    assert counts[2] == sum(len(example.source.replace(" ", "")) + 2 for example in EXAMPLES)  # letters and marks
    assert tokens(SampledSegmentation(alpha=0.01), "unigram") > tokens(SampledSegmentation(alpha=1.0), "unigram")


def test_what_is_too_long_when_drawn_is_cut_in_the_likeliest_way():
    data = data_of("bpe", max_length=max(map(len, ids_of(data_of("bpe").train_pairs.source))))
    data.segment(SampledSegmentation(merge_dropout=1.0), ["bpe", "bpe"])
    assert max(map(len, drawn(data, 0)[0])) <= data.max_length
    assert len(data.train_epoch(0)[0]) == len(data.train_pairs) == len(EXAMPLES)


def test_a_side_of_characters_stays_as_it_is():
    trainer = TokenizerTrainer(source="char", target="bpe", target_size=40, exact_size=False)
    data = Seq2SeqDataModule(splits=Splits(EXAMPLES, EXAMPLES[:4], []), tokenizers=trainer.train(EXAMPLES))
    data.segment(SampledSegmentation(), ["char", "bpe"])
    source, target = drawn(data, 0)
    assert source == ids_of(data.train_pairs.source)
    assert target != ids_of(data.train_pairs.target)


@pytest.mark.parametrize(
    ("options", "kinds", "message"),
    [
        ({"alpha": 0.0}, None, "alpha must be above 0 and at most 1, but is 0.0."),
        ({"merge_dropout": 1.5}, None, "merge_dropout must be above 0 and at most 1, but is 1.5."),
        ({"alpha": 0.1}, ["bpe", "bpe"], "alpha needs a tokenizer of kind unigram, but they are bpe, bpe."),
        (
            {"merge_dropout": 0.1},
            ["char", "word"],
            "merge_dropout needs a tokenizer of kind bpe, but they are char, word.",
        ),
        ({}, ["char", "word"], "segmentation=sampled needs tokenizers of subwords, but they are char, word, which "),
    ],
)
def test_options_out_of_range_or_without_effect_are_refused(options, kinds, message):
    with pytest.raises(UserError) as error:
        SampledSegmentation(**options).strengths(kinds)
    assert str(error.value).startswith(message)
