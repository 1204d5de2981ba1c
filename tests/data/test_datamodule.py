import logging
from collections.abc import Iterable
from dataclasses import fields

import pytest
import pytorch_lightning as lightning
import torch
from torch.testing import assert_close

from seq2seq.data.batch import Batch
from seq2seq.data.datamodule import BatchLoader, Seq2SeqDataModule
from seq2seq.data.examples import Example, Splits
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.errors import UserError
from seq2seq.symbols import EOS, PAD

WORDS = [f"{'abcdefgh'[n % 8]}{'ijkl' * (n % 5)}{'mnop'[n % 4]}" for n in range(40)]
TRAIN = [Example(word, (word[::-1],)) for word in dict.fromkeys(WORDS)]
DEV = TRAIN[:7]


class OneOfSeveral(lightning.Trainer):
    """A trainer that takes itself for one process of several, in some epoch, after some batches."""

    global_rank = 0
    world_size = 1

    def __init__(self, rank: int = 0, processes: int = 1, *, epoch: int = 0, ready: int = 0) -> None:
        super().__init__(
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        self.global_rank, self.world_size = rank, processes
        self.fit_loop.epoch_progress.current.completed = epoch
        self.fit_loop.epoch_loop.batch_progress.current.ready = ready


def data_of(train: list[Example], dev: list[Example] = DEV, **options) -> Seq2SeqDataModule:
    splits = Splits(train, dev)
    tokenizers = TokenizerTrainer(source="char", target="char").train(TRAIN)
    return Seq2SeqDataModule(splits=splits, tokenizers=tokenizers, **{"max_tokens": 120, "max_sentences": 7} | options)


def loader_of(data: Seq2SeqDataModule, trainer: lightning.Trainer, split: str = "train") -> BatchLoader:
    data.trainer = trainer
    return data.train_dataloader() if split == "train" else data.val_dataloader()


def spoken_pairs(batch: Batch) -> list[tuple[list[int], list[int]]]:
    """The rows that add to the loss, without padding."""
    rows = zip(batch.source, batch.source_lengths, batch.target_outputs, strict=True)
    return sorted((s[:n].tolist(), t[t != PAD].tolist()) for s, n, t in rows if (t != PAD).any())


def same(first: Iterable[Batch], second: Iterable[Batch]) -> bool:
    """Whether two sequences hold the same batches, down to the padding."""
    return [contents(batch) for batch in first] == [contents(batch) for batch in second]


def contents(batch: Batch) -> list[object]:
    values = (getattr(batch, field.name) for field in fields(batch))
    return [value.tolist() if isinstance(value, torch.Tensor) else value for value in values]


@pytest.fixture(scope="module")
def data() -> Seq2SeqDataModule:
    return data_of(TRAIN)


# ---- Which pairs there are


def test_every_target_of_an_example_is_a_pair_of_its_own():
    data = data_of([Example("ab", ("a", "b")), Example("cd", ("d",))])
    source, lengths = data.train_pairs.source.padded(torch.arange(3), end=False)
    target, _ = data.train_pairs.target.padded(torch.arange(3), end=False)
    assert len(data.train_pairs) == 3
    assert data.tokenizers.source.decode(source.tolist()) == ["ab", "ab", "cd"]
    assert data.tokenizers.target.decode(target.tolist()) == ["a", "b", "d"]
    assert lengths.tolist() == [2, 2, 2]


def test_pairs_that_cannot_be_learnt_are_left_out_and_counted(caplog):
    train = [
        *TRAIN,
        Example("", ("a",)),
        Example("a", ("b", " ", "")),
        Example("a" * 9, ("b",)),
        Example("a", ("b" * 9,)),
    ]
    dev = [*DEV, Example("a" * 9, ("b",))]
    with caplog.at_level(logging.WARNING):
        data = data_of(train, dev, max_length=8)
    advice = " (raise batches.max_length to keep them)"
    assert caplog.messages == [
        "train: left out 3 pairs with an empty side (fill or delete them in the data)",
        f"train: left out {2 + longer_than(8, TRAIN)} pairs of over 8 tokens{advice}",
        f"dev/loss: left out {1 + longer_than(8, DEV)} pairs of over 8 tokens{advice}; scores of what is written count "
        "them",
    ]
    assert len(data.train_pairs) == len(TRAIN) - longer_than(8, TRAIN) + 1
    assert len(data.dev_pairs) == len(DEV) - longer_than(8, DEV)


def longer_than(limit: int, examples: list[Example]) -> int:
    return sum(len(example.source) > limit for example in examples)


def test_a_pair_of_exactly_max_length_tokens_is_kept_in_silence(caplog):
    with caplog.at_level(logging.WARNING):
        data = data_of([Example("a" * 5, ("b" * 5,))], [Example("a", ("b",))], max_length=5)
    assert len(data.train_pairs) == 1
    assert caplog.messages == []


@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_split_without_usable_pairs_is_refused(split):
    examples = {"train": TRAIN, "dev": DEV} | {split: [Example("", ("",))]}
    with pytest.raises(UserError) as error:
        data_of(examples["train"], examples["dev"])
    assert str(error.value) == f"The {split} split has no usable pair left: see the counts above."


# ---- What the batches hold


def test_an_epoch_brings_every_pair_once_and_dev_brings_them_all(data):
    for split, examples in (("train", TRAIN), ("dev", DEV)):
        batches = list(loader_of(data, OneOfSeveral(), split))
        pairs = sorted(pair for batch in batches for pair in spoken_pairs(batch))
        source = data.tokenizers.source.encode([example.source for example in examples])
        target = data.tokenizers.target.encode([example.targets[0] for example in examples])
        assert pairs == sorted(([*s, EOS], [*t, EOS]) for s, t in zip(source, target, strict=True))
        assert len(loader_of(data, OneOfSeveral(), split)) == len(batches)


def test_batches_of_a_process_keep_to_the_budget_and_count_their_tokens(data):
    for batch in loader_of(data, OneOfSeveral()):
        rows, source = batch.source.shape
        assert rows <= 7
        assert rows * (source + batch.target_outputs.shape[1]) <= 120
        assert batch.step_tokens == batch.target_mask.sum()


@pytest.mark.parametrize("split", ["train", "dev"])
@pytest.mark.parametrize("processes", [2, 3])
def test_the_shares_of_several_processes_are_the_batches_of_one(data, processes, split):
    whole = list(loader_of(data, OneOfSeveral(epoch=2), split))
    shares = [list(loader_of(data, OneOfSeveral(rank, processes, epoch=2), split)) for rank in range(processes)]
    assert [len(share) for share in shares] == [len(whole)] * processes
    for batch, *parts in zip(whole, *shares, strict=True):
        assert sorted(pair for part in parts for pair in spoken_pairs(part)) == spoken_pairs(batch)
        assert [part.step_tokens for part in parts] == [batch.step_tokens] * processes
        assert sum(int(part.target_mask.sum()) for part in parts) == batch.step_tokens


def test_a_process_without_a_row_of_its_own_takes_part_in_silence():
    data = data_of(TRAIN, max_sentences=2)
    shares = [list(loader_of(data, OneOfSeveral(rank, 3))) for rank in range(3)]
    for batch, expected in zip(shares[2], shares[0], strict=True):
        assert (batch.target_outputs == PAD).all()
        assert len(batch.source) == 1
        assert batch.step_tokens == expected.step_tokens > 0


# ---- Where in which epoch


@pytest.mark.parametrize("processes", [1, 2])
def test_a_loader_started_at_a_position_yields_the_batches_from_there_on(data, processes):
    whole = list(loader_of(data, OneOfSeveral(processes - 1, processes, epoch=1)))
    for ready in range(len(whole) + 1):
        loader = loader_of(data, OneOfSeveral(processes - 1, processes, epoch=1, ready=ready))
        assert len(loader) == len(whole)  # of the epoch, not of what is left
        assert same(list(loader), whole[ready:])


def test_a_position_of_another_plan_that_lies_beyond_an_epoch_ends_it(data):
    beyond = OneOfSeveral(epoch=1, ready=len(data.train_plan.epoch(1)) + 3)
    assert list(loader_of(data, beyond)) == []


def test_epoch_and_position_are_read_when_iteration_starts(data):
    late = OneOfSeveral()
    loader = loader_of(data, late)
    late.fit_loop.epoch_progress.current.completed = 3
    late.fit_loop.epoch_loop.batch_progress.current.ready = 2
    assert same(list(loader), list(loader_of(data, OneOfSeveral(epoch=3, ready=2))))


def test_epochs_differ_in_train_and_not_in_dev(data):
    first, second = ([spoken_pairs(b) for b in loader_of(data, OneOfSeveral(epoch=epoch))] for epoch in (0, 1))
    assert first != second
    dev = [list(loader_of(data, OneOfSeveral(epoch=epoch, ready=epoch), "dev")) for epoch in (0, 1)]
    assert same(*dev)


def test_a_loader_keeps_no_position_of_its_own(data):
    loader = loader_of(data, OneOfSeveral())
    assert loader.state_dict() == {}
    loader.load_state_dict({})
    assert same(list(loader), list(loader))


# ---- Every option has an effect


@pytest.mark.parametrize("options", [{"seed": 2}, {"max_tokens": 60}, {"max_sentences": 3}, {"pool_batches": 1}])
def test_every_option_changes_the_batches(data, options):
    def rows(module: Seq2SeqDataModule) -> list[list[int]]:
        return [batch.tolist() for batch in module.train_plan.epoch(0)]

    assert rows(data_of(TRAIN)) == rows(data)
    assert rows(data_of(TRAIN, **options)) != rows(data)


def test_lengths_that_the_plan_counts_are_those_of_the_batches(data):
    for rows in data.train_plan.epoch(0):
        batch = data.train_pairs.batch(rows, step_tokens=1.0)
        assert_close(torch.from_numpy(data.train_plan.source)[rows].long(), batch.source_lengths)
        assert (data.train_plan.target[rows] == batch.target_mask.sum(1).numpy()).all()


def test_tokens_of_train_are_counted_with_an_end_behind_every_target():
    word = TRAIN[1].targets[0]
    data = data_of([Example("a", (word, word[:1])), Example("b", (word,))])
    ids = data.train_pairs.target.padded(torch.arange(3), end=True)[0].flatten().tolist()
    assert data.target_counts().tolist() == [
        0 if index == PAD else ids.count(index) for index in range(data.tokenizers.target.size)
    ]
    assert data.target_counts()[EOS] == 3
    assert data.target_counts().sum() == 2 * len(word) + 1 + 3
