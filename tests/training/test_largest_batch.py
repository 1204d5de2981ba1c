"""The largest batch is tried before training, and changes nothing; memory that is short is told in one line."""

import logging

import pytest
import pytorch_lightning as lightning
import torch

from seq2seq.data.batch import PairSequences
from seq2seq.data.datamodule import BatchLoader
from seq2seq.data.sequences import TokenSequences
from seq2seq.errors import UserError
from seq2seq.training.callbacks.largest_batch import LargestBatch
from seq2seq.training.out_of_memory import MemoryShortError, is_out_of_memory
from seq2seq.training.step import TrainingStep

# All that draws random numbers or keeps a state between steps.
DRAWING = ["model.dropout=0.3", "scheduled_sampling=exponential", "scheduled_sampling.feed=sample", "objective=r_drop"]
TRIED = "callbacks.largest_batch.least_steps=1"
CPU_SHORT = RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried")


def weights(folder):
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return {**checkpoint["state_dict"], **{f"average.{name}": own for name, own in checkpoint["weights"].items()}}


def test_a_run_is_the_same_with_and_without_bit_for_bit(train_tiny, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    found = []
    for name, override in (("tried", TRIED), ("not", "callbacks.largest_batch=null")):
        (tmp_path / name).mkdir()
        train_tiny(tmp_path / name, *DRAWING, override, "budget.max_steps=4")
        found.append(weights(tmp_path / name))
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(own, found[1][name]) for name, own in found[0].items())
    (line,) = [text for text in caplog.messages if "largest batch" in text]
    assert "(8 pairs, sources of 4 and targets of 4 tokens) needs 0." in line
    assert "MB at its peak" in line
    assert "lower batches.max_tokens" in line


def test_a_short_run_begins_without(train_tiny, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    train_tiny(tmp_path, "budget.max_steps=2")
    assert not [text for text in caplog.messages if "largest batch" in text]


@pytest.mark.parametrize("error", [CPU_SHORT, torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_a_largest_batch_that_does_not_fit_is_told_at_once_by_its_shape(train_tiny, tmp_path, monkeypatch, error):
    monkeypatch.setattr(TrainingStep, "loss", lambda *given, **named: raising(error))
    with pytest.raises(MemoryShortError, match=r"^memory is not enough for the largest batch \(\d+ pairs, .*: lower "):
        train_tiny(tmp_path, TRIED, "budget.max_steps=2")
    assert MemoryShortError.exit_code == 3


@pytest.mark.parametrize("error", [CPU_SHORT, torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_memory_that_is_short_in_the_middle_is_told_with_step_and_shape(train_tiny, tmp_path, monkeypatch, error):
    loss = TrainingStep.loss

    def failing(self, batch, *, step, spent):
        return raising(error) if step == 2 else loss(self, batch, step=step, spent=spent)

    monkeypatch.setattr(TrainingStep, "loss", failing)
    with pytest.raises(
        MemoryShortError, match=r"^memory is not enough for step 2 \(\d+ pairs, sources of \d and targets of \d tokens"
    ):
        train_tiny(tmp_path, "budget.max_steps=4")


def test_another_error_is_what_it_was(train_tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(TrainingStep, "loss", lambda *given, **named: raising(RuntimeError("shapes differ")))
    for override in (TRIED, "callbacks.largest_batch=null"):
        with pytest.raises(RuntimeError, match="^shapes differ$"):
            train_tiny(tmp_path, override, "budget.max_steps=2")
    assert not is_out_of_memory(KeyboardInterrupt())


def raising(error):
    raise error


def test_the_largest_has_the_most_tokens_and_of_such_the_longest_targets():
    lengths = [(1, 1), (4, 2), (2, 4), (3, 3), (3, 2)]
    source, target = (TokenSequences.from_ids([[5] * own[side] for own in lengths]) for side in (0, 1))
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    rows = [torch.tensor([row]) for row in range(len(lengths))]
    batch = BatchLoader(lambda number: (PairSequences(source, target), rows), trainer).largest()
    assert (batch.source.shape[1], batch.target_outputs.shape[1]) == (3, 5)


def test_least_steps_is_at_least_one():
    with pytest.raises(UserError, match=r"^least_steps must be at least 1, but is 0\.$"):
        LargestBatch(least_steps=0)
