"""Where memory is short, batches have fewer tokens than follow from the data, and all else follows from these."""

import logging
from functools import partial

import pytest
import torch

from seq2seq.commands.building.batches import build_batches
from seq2seq.commands.building.module import build_module
from seq2seq.commands.train import train
from seq2seq.commands.training import memory_room
from seq2seq.commands.training.memory_room import WORD, tokens_that_fit
from seq2seq.data.examples import Example, Splits
from seq2seq.ranks import Ranks
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.run import train_tokenizers
from seq2seq.runs.settling import settle

OWN = ["budget.max_steps=2", "trainer.accelerator=cpu", "precision=32-true", "threads=1", "logger=none",
       "callbacks=none", "batches.max_length=40"]  # fmt: skip
WORDS = [Example("abcdefgh"[n % 8] * (1 + n % 30), ("hgfedcba"[n % 8] * (1 + n % 25),)) for n in range(3000)]
SPLITS = Splits(WORDS, WORDS[:5])


@pytest.fixture
def config(plain_config_of):
    return lambda *overrides: plain_config_of("train", *OWN, *overrides)


def settled(config, monkeypatch, free: int | None):
    monkeypatch.setattr(memory_room, "free_bytes", lambda device: free)
    return settle(config, SPLITS, train_tokenizers, fits=tokens_that_fit)


@pytest.mark.parametrize("free", [None, 24_000_000_000, 2_000_000_000])
def test_where_memory_is_ample_nothing_changes_and_no_step_is_tried(config, monkeypatch, free):
    wanted = settle(config(), SPLITS, train_tokenizers)[0]
    monkeypatch.setattr(memory_room, "build_module", lambda *given: 1 / 0)
    assert settled(config(), monkeypatch, free)[0] == wanted


@pytest.mark.parametrize("overrides", [[], ["model=luong"], ["model=transducer"], ["model/attention=multi_head"]])
def test_the_batches_fit_into_half_of_what_is_free(config, monkeypatch, caplog, overrides):
    ample, tokenizers = settle(config(*overrides), SPLITS, train_tokenizers)
    wanted = ample["batches"]["max_tokens"]
    fixed, of_token = memory_room._needed(ample, tokenizers, SPLITS)
    room = fixed + 0.5 * of_token * wanted
    free = int(2 * room)
    caplog.set_level(logging.INFO)
    found, tokenizers = settled(config(*overrides), monkeypatch, free)
    tokens = found["batches"]["max_tokens"]
    assert 82 <= tokens < wanted
    said = [
        text for text in caplog.messages if text.startswith(f"memory: {free / 1e6:,.0f} MB are free, and batches of ")
    ]
    assert [text.rpartition("=")[2] for text in said] == [str(tokens)]
    assert f"batches.max_tokens={tokens} " in caplog.messages[-1]
    data = build_batches(found, SPLITS, tokenizers)
    step = build_module(found, data).step
    pairs, batches = data.train_epoch(0)
    peak = memory_room._peak(step, pairs, max(batches, key=pairs.padded_size), torch.device("cpu"))
    held = memory_room._HELD * sum(weight.nbytes for weight in step.model.parameters())
    assert 0.6 * room < held + peak <= 1.1 * room


def test_a_pair_always_fits_and_what_is_asked_for_is_kept(config, monkeypatch):
    assert settled(config(), monkeypatch, 1000)[0]["batches"]["max_tokens"] == 2 * 41
    assert settled(config("batches.max_tokens=5000"), monkeypatch, 1000)[0]["batches"]["max_tokens"] == 5000


def test_the_bytes_of_a_token_are_those_of_the_largest_batch(config):
    found, tokenizers = settle(config(), SPLITS, train_tokenizers)
    fixed, of_token = memory_room._needed(found, tokenizers, SPLITS)
    data = build_batches(found, SPLITS, tokenizers)
    step, (pairs, batches) = build_module(found, data).step, data.train_epoch(0)
    rows = max(batches, key=pairs.padded_size)
    peak = memory_room._peak(step, pairs, rows, torch.device("cpu"))
    held = memory_room._HELD * sum(weight.nbytes for weight in step.model.parameters())
    assert fixed + of_token * pairs.padded_size(rows)[0] == pytest.approx(held + peak, rel=0.2)
    assert memory_room._plenty(found, tokenizers, float(found["batches"]["max_tokens"])) > held + peak


def test_a_run_is_that_of_the_number_that_is_said(config, monkeypatch, tmp_path):
    (tmp_path / "words.tsv").write_text("".join(f"{one.source}\t{one.targets[0]}\n" for one in WORDS[:300]))
    data = ["data=tsv", f"data.train={tmp_path}/words.tsv", "model.dropout=0.1"]
    monkeypatch.setattr(memory_room, "free_bytes", lambda device: 1000)
    weights = []
    for name, more in (("short", []), ("told", ["batches.max_tokens=82"])):
        (tmp_path / name).mkdir()
        train(config(*data, *more), tmp_path / name, resume=False)
        weights.append(read_checkpoint(tmp_path / name / "checkpoints" / "last.ckpt")["state_dict"])
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())


class Word:
    """A meeting in which the first process has said a number, or others hear what is said."""

    def __init__(self, rank: int) -> None:
        self.own, self.told = Ranks(rank, 2, rank, 2), {}

    def hear(self, name: str) -> bytes:
        assert name == WORD
        return b"96"

    def tell(self, name: str, value: bytes) -> None:
        self.told[name] = value


def test_all_processes_have_the_number_of_the_first(config, monkeypatch):
    other, first = Word(1), Word(0)
    monkeypatch.setattr(memory_room, "current_meeting", lambda: other)
    assert settled(config(), monkeypatch, 10**12)[0]["batches"]["max_tokens"] == 96
    monkeypatch.setattr(memory_room, "current_meeting", lambda: first)
    assert settled(config(), monkeypatch, 1000)[0]["batches"]["max_tokens"] == 82
    assert first.told == {WORD: b"82"}


def test_processes_of_one_machine_share_its_memory_and_the_batch(config, monkeypatch):
    needed = partial(memory_room._processes, config("trainer.devices=2"))
    assert needed(torch.device("cpu")) == (2, 2)
    assert needed(torch.device("cuda")) == (1, 2)
    monkeypatch.setattr(memory_room, "ranks", lambda: Ranks(1, 8, 1, 4))
    assert needed(torch.device("cpu")) == (4, 8)
