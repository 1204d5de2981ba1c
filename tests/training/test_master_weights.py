"""Weights in float32 behind those in 16 bits: small updates add up, and go on to the bit."""

from functools import partial

import pytest
import torch
from torch import nn

from seq2seq.training.master_weights import MasterWeights, rounds
from seq2seq.training.muon import MuonWithAdamW
from seq2seq.training.parts import PartedOptimizer
from seq2seq.training.skipping import leave_out_unless

FACTORIES = {
    "sgd": partial(torch.optim.SGD, lr=0.1, momentum=0.9),
    "fused adam": partial(torch.optim.Adam, lr=0.01, fused=True),
    "adamw": partial(torch.optim.AdamW, lr=0.01),
    "adagrad": partial(torch.optim.Adagrad, lr=0.01, initial_accumulator_value=0.1),
    "adafactor": torch.optim.Adafactor,
    "muon": MuonWithAdamW,
}


def layer() -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(3, 4).to(torch.bfloat16)


def gradients(count: int) -> list[list[torch.Tensor]]:
    torch.manual_seed(2)
    return [[torch.randn(shape).to(torch.bfloat16) for shape in ((4, 3), (4,))] for _ in range(count)]


def take(optimizer, weights, steps) -> None:
    for step in steps:
        optimizer.zero_grad()
        for weight, gradient in zip(weights, step, strict=True):
            weight.grad = gradient.to(weight.dtype)
        optimizer.step()


def test_updates_that_bfloat16_would_round_away_add_up():
    """Above 256, bfloat16 knows even numbers alone: 256 + 8 / 4 = 258, but 256 + 1/4 = 256."""
    alone, behind = (nn.Parameter(torch.tensor([256.0], dtype=torch.bfloat16)) for _ in range(2))
    steps = [[torch.tensor([-0.25])]] * 8
    take(torch.optim.SGD([alone], lr=1.0), [alone], steps)
    optimizer = MasterWeights([behind], partial(torch.optim.SGD, lr=1.0))
    take(optimizer, [behind], steps)
    assert alone.item() == 256.0
    assert behind.item() == optimizer.masters[0].item() == 258.0


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
def test_masters_go_the_way_of_weights_in_float32(factory):
    model, steps = layer(), gradients(5)
    expected = nn.Linear(3, 4)
    expected.load_state_dict({name: weight.float() for name, weight in model.state_dict().items()})
    take(factory(expected.parameters()), list(expected.parameters()), steps)
    optimizer = MasterWeights(model.parameters(), factory)
    take(optimizer, list(model.parameters()), steps)
    for weight, master, own in zip(model.parameters(), optimizer.masters, expected.parameters(), strict=True):
        assert master.dtype == torch.float32
        torch.testing.assert_close(master, own)
        assert torch.equal(weight, master.to(torch.bfloat16))
    for state in optimizer.state.values():
        assert all(value.dtype != torch.bfloat16 for value in state.values() if isinstance(value, torch.Tensor))


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
def test_it_goes_on_to_the_bit(factory):
    steps = gradients(6)
    whole, parted = layer(), layer()
    take(MasterWeights(whole.parameters(), factory), list(whole.parameters()), steps)
    first = MasterWeights(parted.parameters(), factory)
    take(first, list(parted.parameters()), steps[:3])
    again = nn.Linear(3, 4).to(torch.bfloat16)
    again.load_state_dict(parted.state_dict())
    second = MasterWeights(again.parameters(), factory)
    second.load_state_dict(first.state_dict())
    take(second, list(again.parameters()), steps[3:])
    assert all(map(torch.equal, again.parameters(), whole.parameters()))


def test_a_run_of_before_has_its_weights_as_masters():
    model = layer()
    old = torch.optim.Adam(model.parameters())
    take(old, list(model.parameters()), gradients(2))
    optimizer = MasterWeights(model.parameters(), torch.optim.Adam)
    optimizer.load_state_dict(old.state_dict())
    assert all(map(torch.equal, optimizer.masters, [weight.float() for weight in model.parameters()]))
    assert all(state["exp_avg"].dtype == torch.float32 for state in optimizer.state.values())


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
def test_a_step_that_is_left_out_changes_nothing(factory):
    model, (first, bad, last) = layer(), gradients(3)
    expected = layer()
    weights = list(model.parameters())
    take(MasterWeights(expected.parameters(), factory), list(expected.parameters()), [first, last])
    optimizer = MasterWeights(weights, factory)
    take(optimizer, weights, [first])
    leave_out_unless(torch.tensor(False), optimizer)
    take(optimizer, weights, [bad])
    leave_out_unless(torch.tensor(True), optimizer)
    take(optimizer, weights, [last])
    assert all(map(torch.equal, weights, expected.parameters()))


def test_groups_and_their_rates_are_those_of_the_factory():
    model = nn.Sequential(layer(), layer())
    parted = PartedOptimizer(FACTORIES["adamw"], model, {"1": 0.5}, [model[0].bias])
    optimizer = MasterWeights(model.parameters(), parted)
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.005, 0.01, 0.005]
    optimizer.param_groups[1]["lr"] = 0.0
    take(optimizer, list(model.parameters()), [[*one, *one] for one in gradients(1)])
    assert all(map(torch.equal, model[1].parameters(), layer().parameters()))
    assert not torch.equal(model[0].weight, layer().weight)


def test_only_short_types_round():
    assert rounds(layer().parameters())
    assert not rounds(layer().float().parameters())
    assert not rounds(layer().double().parameters())


@pytest.mark.needs_bfloat16
def test_a_run_in_bfloat16_learns_by_small_steps_and_goes_on_to_the_bit(train_tiny, tmp_path, interrupt_at):
    options = ["precision=bf16-true", "budget.max_steps=6", "trainer.val_check_interval=2", "optimizer.lr=1e-5"]
    train_tiny(tmp_path / "whole", *options)
    interrupt_at(5)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / "parted", *options)
    train_tiny(tmp_path / "parted", *options, resume=True)
    parted, whole = (
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True) for name in ("parted", "whole")
    )
    masters, own = (one["optimizer_states"][0]["masters"] for one in (parted, whole))
    assert all(map(torch.equal, masters, own))
    for weight, master in zip(whole["state_dict"].values(), own, strict=False):
        assert weight.dtype == torch.bfloat16
        assert weight.shape != master.shape or torch.equal(weight, master.to(torch.bfloat16))
    assert any(not torch.equal(master, master.to(torch.bfloat16).float()) for master in own)
