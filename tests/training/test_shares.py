"""Gradients of the shares of several processes sum to those of one, for every kind of model, objective and data."""

import pytest
import pytorch_lightning as lightning
import torch
from torch.testing import assert_close

from seq2seq.commands.building.batches import build_batches
from seq2seq.commands.building.module import build_module
from seq2seq.data.datamodule import BatchLoader
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.run import train_tokenizers
from seq2seq.runs.settling import settle
from seq2seq.training.carried import CarriedStates

STILL = ["model.dropout=0.0", "batches.max_tokens=60", "batches.max_sentences=5", "sizing=none"]
# What a step of several processes must be the same with; risks and noise draw numbers of their own in each process.
KINDS = {
    "gnmt": [],
    "luong": ["model=luong", "model.decoder.num_layers=2"],
    "bahdanau": ["model=bahdanau"],
    "pointer": ["model/copying=pointer"],
    "pointer_luong": ["model=luong", "model/copying=pointer"],
    "transducer": ["model=transducer", "tokenizer=word", "~objective.label_smoothing"],
    "adaptive": ["model/output=adaptive", "model.output.cutoffs=[4,6]"],
    "mixture": ["model/output=mixture"],
    "coverage": ["model/attention=coverage", "model=luong"],
    "monotonic": ["model/attention=monotonic"],
    "ngrams": ["model/ngrams=bigrams"],
    "curriculum": ["curriculum=length", "curriculum.steps=4"],
    "batch_growth": ["batch_growth=doubling", "batch_growth.every=4"],
    "augmentation": ["augmentation=noise"],
    "truncation": ["truncation=window", "truncation.window=3"],
    "r_drop": ["objective=r_drop"],
}
SAMPLED = {
    "imitation": ["objective=imitation", "model=transducer", "tokenizer=word"],
    "minimum_risk": ["objective=minimum_risk"],
    "self_critical": ["objective=self_critical"],
    "type_dropout": ["model.type_dropout=0.5"],
    "dropout": ["model.dropout=0.2"],
    "scheduled_sampling": ["scheduled_sampling=linear"],
}


class OneOfSeveral(lightning.Trainer):
    """A trainer that takes itself for one process of several."""

    global_rank, world_size = 0, 1

    def __init__(self, rank: int, processes: int) -> None:
        super().__init__(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
        self.global_rank, self.world_size = rank, processes


@pytest.fixture
def built(tiny_config):
    """A module in double precision, and the data of its config."""

    def build(overrides):
        config = tiny_config(*STILL, *overrides)
        splits = load_splits(config)
        config, tokenizers = settle(config, splits, train_tokenizers, says=False)
        data = build_batches(config, splits, tokenizers)
        return build_module(config, data).double(), data

    return build


def gradients(module, batch) -> dict[str, torch.Tensor]:
    """What a batch adds to the gradient of each weight; none where it has no part in it."""
    module.zero_grad()
    module.step.carried = CarriedStates()
    torch.manual_seed(1)
    module.step.loss(batch, step=0, spent=0.9).backward()
    return {name: weight.grad for name, weight in module.model.named_parameters() if weight.requires_grad}


def batches_of(data, rank: int, processes: int):
    return list(BatchLoader(data.train_epoch, OneOfSeveral(rank, processes)))


@pytest.mark.parametrize("name", KINDS)
def test_gradients_of_shares_sum_to_those_of_the_batch(built, name):
    module, data = built(KINDS[name])
    whole = batches_of(data, 0, 1)
    shares = [batches_of(data, rank, 3) for rank in range(3)]
    smallest = min(range(len(whole)), key=lambda number: len(whole[number].source))
    for number in {0, smallest}:
        expected = gradients(module, whole[number])
        found = [gradients(module, share[number]) for share in shares]
        for weight, gradient in expected.items():
            parts = [one[weight] for one in found]
            assert all(part is not None for part in parts), weight  # which processes would wait for
            assert_close(torch.stack(parts).sum(0), gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SAMPLED)
def test_every_share_has_a_gradient_for_every_weight(built, name):
    """Processes wait for each other's gradients, so that none may be missing, whatever it draws."""
    module, data = built(SAMPLED[name])
    shares = [batches_of(data, rank, 3)[-1] for rank in range(3)]
    assert {weight for share in shares for weight, part in gradients(module, share).items() if part is None} == set()
