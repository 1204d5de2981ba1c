"""Muon and AdamW as one optimizer."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from seq2seq.training.muon import MuonWithAdamW, spared_of
from seq2seq.training.skipping import leave_out_unless


@pytest.fixture
def model() -> nn.ModuleDict:
    torch.manual_seed(1)
    return nn.ModuleDict({"table": nn.Embedding(5, 4), "hidden": nn.Linear(4, 3), "output": nn.Linear(3, 5)})


def take(model: nn.ModuleDict, optimizer: torch.optim.Optimizer, *steps: int) -> dict[str, torch.Tensor]:
    """The weights after steps, by the same gradients as any other model's."""
    for step in steps:
        draw = torch.Generator().manual_seed(step)
        for one in model.parameters():
            one.grad = torch.randn(one.shape, generator=draw)
        optimizer.step()
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def twin(model: nn.ModuleDict) -> nn.ModuleDict:
    other = nn.ModuleDict({"table": nn.Embedding(5, 4), "hidden": nn.Linear(4, 3), "output": nn.Linear(3, 5)})
    other.load_state_dict(model.state_dict())
    return other


def test_what_is_not_for_muon_is_the_embedding_the_output_layer_and_vectors(model):
    muon, adamw = MuonWithAdamW(model.parameters(), spared=spared_of(model)).param_groups
    assert [id(one) for one in muon["params"]] == [id(model["hidden"].weight)]
    assert len(adamw["params"]) == 4


def test_a_tied_table_is_spared(build_model):
    model = build_model(share_embeddings=True, source_vocabulary_size=12, target_vocabulary_size=12)
    spared = {id(one) for one in spared_of(model)}
    assert id(model.output.weight) in spared
    assert id(model.encoder.input.embedding.table.weight) in spared
    assert len(spared) < len(list(model.parameters()))


def test_each_parameter_moves_as_its_own_optimizer_alone_would_move_it(model):
    other = twin(model)
    options = {"lr": 0.02, "weight_decay": 0.1}
    rest = [one for one in other.parameters() if one is not other["hidden"].weight]
    muon = torch.optim.Muon([other["hidden"].weight], momentum=0.9, adjust_lr_fn="match_rms_adamw", **options)
    adamw = torch.optim.AdamW(rest, betas=(0.8, 0.9), eps=1e-9, **options)
    both = MuonWithAdamW(model.parameters(), momentum=0.9, betas=(0.8, 0.9), spared=spared_of(model), **options)
    for step in (1, 2):
        found = take(model, both, step)
        take(other, muon, step)
        adamw.step()  # by the same gradients
        for name, weight in other.named_parameters():
            assert torch.equal(found[name], weight), name


def test_a_restored_one_goes_on_as_the_first_would_have(model):
    first = MuonWithAdamW(model.parameters(), spared=spared_of(model))
    take(model, first, 1, 2)
    other = twin(model)
    second = MuonWithAdamW(other.parameters(), spared=spared_of(other))
    second.load_state_dict(deepcopy(first.state_dict()))
    wanted, found = take(model, first, 3), take(other, second, 3)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_the_rate_of_its_groups_counts(model):
    optimizer, before = MuonWithAdamW(model.parameters(), spared=spared_of(model)), twin(model).state_dict()
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    assert all(torch.equal(weight, before[name]) for name, weight in take(model, optimizer, 1).items())


def test_a_step_left_out_changes_nothing(model):
    optimizer = MuonWithAdamW(model.parameters(), spared=spared_of(model))
    before = take(model, optimizer, 1)
    for one in model.parameters():
        one.grad = torch.full_like(one, float("nan"))
    leave_out_unless(torch.tensor(False), optimizer)
    optimizer.step()
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())


def test_a_closure_is_called_and_its_value_returned(model):
    optimizer = MuonWithAdamW(model.parameters())
    assert optimizer.step(lambda: 3.0) == 3.0
