"""References of one source that stay together."""

import logging
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.data.augmentation.copying import Copying
from seq2seq.data.batching import TokenBudget
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.examples import Example, Splits
from seq2seq.data.references import ExamplePlan, rows_of, shares_of, too_large
from seq2seq.data.segmentation import SampledSegmentation
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.errors import UserError

LAW = settings(deadline=None, max_examples=80)
pair = st.tuples(st.integers(1, 9), st.integers(1, 9))
examples_of_lengths = st.lists(st.lists(pair, min_size=1, max_size=4), min_size=1, max_size=30)
WORDS = [f"{'abcdefgh'[n % 8]}{'ijkl' * (n % 5)}{'mnop'[n % 4]}" for n in range(40)]
SEVERAL = [
    Example(word, tuple(f"{word}{'xyz'[:n]}" for n in range(1 + place % 3)))
    for place, word in enumerate(dict.fromkeys(WORDS))
]


def data_of(train=SEVERAL, references="best", **options) -> Seq2SeqDataModule:
    tokenizers = TokenizerTrainer(source="char", target="char").train(SEVERAL)
    options = {"max_tokens": 200, "max_sentences": 7} | options
    data = Seq2SeqDataModule(splits=Splits(train, train[:5]), tokenizers=tokenizers, **options)
    data.gather(references)
    return data


@LAW
@given(examples_of_lengths, st.integers(72, 200), st.integers(4, 12), st.integers(0, 3), st.booleans())
def test_an_example_is_in_one_batch_and_every_batch_keeps_to_the_budget(examples, tokens, sentences, epoch, shuffle):
    owners = torch.tensor([number for number, own in enumerate(examples) for _ in own])
    source, target = torch.tensor([lengths for own in examples for lengths in own]).T.contiguous()
    budget = TokenBudget(tokens, sentences)
    batches = ExamplePlan(source, target, budget, owners=owners, shuffle=shuffle, pool_batches=2).epoch(epoch)
    assert sorted(row for batch in batches for row in batch.tolist()) == list(range(len(owners)))
    for batch in batches:
        assert len(batch) <= sentences
        assert len(batch) * int(source[batch].max() + target[batch].max()) <= tokens
    homes = [set(owners[batch].tolist()) for batch in batches]
    assert sum(map(len, homes)) == len(examples)


def test_another_epoch_puts_other_examples_together():
    data = data_of()
    first, second = ({tuple(batch.tolist()) for batch in data.train_plan.epoch(number)} for number in (0, 1))
    assert first != second
    assert {tuple(batch.tolist()) for batch in data_of().train_plan.epoch(1)} == second


def test_stretches_of_rows():
    assert rows_of(np.array([5, 0, 7]), np.array([2, 1, 3])).tolist() == [5, 6, 0, 7, 8, 9]
    assert shares_of(torch.tensor([3, 3, 4, 5, 5, 5])).tolist() == [0.5, 0.5, 1.0, *[1 / 3] * 3]
    lengths = torch.tensor([1, 4, 2, 3])
    assert too_large(torch.tensor([0, 0, 1, 1]), lengths, lengths, 15) == [(0, 2)]


def test_an_epoch_has_every_pair_once_and_made_ones_alone():
    data = data_of()
    data.augment(Copying(tag=None))
    pairs, batches = data.train_epoch(0)
    owners = Counter(pairs.owners.tolist())
    assert sorted(row for batch in batches for row in batch.tolist()) == list(range(len(pairs)))
    assert len(pairs) > len(data.train_pairs)
    assert [owners[number] for number in range(len(SEVERAL))] == [len(example.targets) for example in SEVERAL]
    assert {count for number, count in owners.items() if number >= len(SEVERAL)} == {1}
    for rows in batches:
        own = Counter(pairs.owners[rows].tolist())
        assert all(owners[number] == count for number, count in own.items())
        batch = pairs.batch(rows, step_tokens=1.0)
        assert batch.owners.tolist() == sorted(batch.owners.tolist())
        assert batch.references == "best"


def test_what_is_left_out_of_an_example_does_not_count():
    train = [Example("ab", ("a", "b" * 9, "ab")), Example("b", ("a",))]
    pairs = data_of(train, max_length=5).train_pairs
    assert pairs.owners.tolist() == [0, 0, 1]
    assert pairs.target_tokens(torch.tensor([0, 1, 2])) == (2 + 3) / 2 + 2


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_examples_and_not_their_references(processes):
    pairs, batches = data_of().train_epoch(0)
    for rows in batches:
        shares = [pairs.share(rows, rank, processes) for rank in range(processes)]
        assert sorted(torch.cat(shares).tolist()) == sorted(rows.tolist())
        homes = [set(pairs.owners[share].tolist()) for share in shares]
        assert sum(map(len, homes)) == len(set(pairs.owners[rows].tolist()))
        assert sum(map(pairs.target_tokens, shares)) == pytest.approx(pairs.target_tokens(rows))


def test_each_is_as_if_nothing_had_been_said():
    data, plain = data_of(references="each"), data_of(references="each")
    plain.train_pairs = plain.pairs(SEVERAL, "train")
    assert all(map(torch.equal, data.train_plan.epoch(2), plain.train_plan.epoch(2)))
    rows = torch.tensor([2, 1])
    batch = data.train_pairs.batch(rows, step_tokens=1.0)
    assert batch.owners is None
    assert data.train_pairs.target_tokens(rows) == float((data.train_pairs.target.lengths[rows] + 1).sum())
    assert data.train_pairs.share(rows, 1, 2).tolist() == [1]


def test_dev_stays_as_it_is():
    data = data_of()
    assert data.dev_pairs.together is None
    assert data.dev_pairs.batch(torch.tensor([0]), step_tokens=1.0).owners is None


def test_drawn_subwords_of_an_example_fit_a_batch():
    """Leaving out merges makes of two pieces up to twelve, which three references of one source have no room for."""
    words = [Example(f"{'ab' * 6}{'cd' * (n % 3)}", ("abababababab", "cdcdcdcdcd", "abcdabcdabcd")) for n in range(6)]
    train = TokenizerTrainer(source="bpe", target="bpe", source_size=20, target_size=20, exact_size=False)
    data = Seq2SeqDataModule(
        splits=Splits(words, words[:1]), tokenizers=train.train(words), max_tokens=60, max_sentences=6
    )
    data.gather("mean")
    data.segment(SampledSegmentation(merge_dropout=0.1), ["bpe", "bpe"])
    widths = []
    for number in range(5):
        pairs, batches = data.train_epoch(number)
        for rows in batches:
            batch = pairs.batch(rows, step_tokens=1.0)
            assert len(rows) * (batch.source.shape[1] + batch.target_outputs.shape[1]) <= 60
            widths.append(batch.target_outputs.shape[1])
    assert len(set(widths)) > 1
    assert len(pairs) == len(data.train_pairs) == 18


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"references": "all"}, "references must be one of each, mean, best, log_sum, but is 'all'."),
        (
            {"train": [Example("ab", ("a",))]},
            "references=best needs sources with several targets, but every one of train has a single one: leave it at "
            "each.",
        ),
        (
            {"max_sentences": 2},
            "max_sentences must be at least 3, as all references of a source are in one batch, but is 2: raise it, or "
            "leave references at each.",
        ),
        (
            {"max_tokens": 50},
            "max_tokens must be at least 120, as all references of a source are in one batch, but is 50: raise it, or "
            "leave references at each.",
        ),
    ],
)
def test_what_cannot_be_taken_together_is_refused(options, message, caplog):
    with caplog.at_level(logging.ERROR), pytest.raises(UserError) as error:
        data_of(**options)
    assert str(error.value) == message
