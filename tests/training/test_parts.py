"""Parts of a model that are frozen, or trained at rates of their own."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch
from tiny_models import CELLS
from torch import nn

from seq2seq.errors import UserError
from seq2seq.training.gradients.clip_by_norm import ClipByNorm
from seq2seq.training.parts import FrozenParts, PartedOptimizer, spared_from_decay


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(1)
    model = nn.ModuleDict({"encoder": nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4)), "decoder": nn.Linear(4, 2)})
    model["nothing"] = nn.Tanh()
    return model


def steps(model: nn.Module, transform, optimizer, count: int) -> Iterator[dict[str, torch.Tensor]]:
    """The weights before, and after each step."""
    inputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    for step in range(count + 1):
        yield {name: weight.detach().clone() for name, weight in model.named_parameters()}
        model["decoder"](model["encoder"](inputs)).square().sum().backward()
        transform(list(model.parameters()), step)
        optimizer.step()
        optimizer.zero_grad()


def moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name.rpartition(".")[0] for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize(
    ("freeze", "freeze_steps", "wanted"),
    [
        (["encoder"], None, [{"decoder"}] * 3),
        (["encoder.1"], None, [{"encoder.0", "decoder"}] * 3),
        (["encoder"], 2, [{"decoder"}, {"decoder"}, {"encoder.0", "encoder.1", "decoder"}]),
        (["encoder", "decoder"], 1, [set(), {"encoder.0", "encoder.1", "decoder"}]),
    ],
)
def test_frozen_parts_move_when_they_are_thawed(model, freeze, freeze_steps, wanted):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    weights = list(steps(model, FrozenParts(model, freeze, freeze_steps), optimizer, len(wanted)))
    assert [moved(*pair) for pair in zip(weights, weights[1:], strict=False)] == wanted


def test_the_norm_and_its_limit_are_those_of_what_is_trained(model):
    for one in model.parameters():
        one.grad = torch.ones_like(one)
    norm = FrozenParts(model, ["encoder"], None, ClipByNorm(max_norm=1.0))(list(model.parameters()), 0)
    assert float(norm) == pytest.approx(10**0.5)  # 8 weights and 2 biases
    assert float(model["decoder"].weight.grad[0, 0]) == pytest.approx(10**-0.5, rel=1e-5)
    assert model["encoder"][0].weight.grad is None


def test_parts_learn_at_multiples_of_the_rate_the_inner_one_s_first(model):
    make = PartedOptimizer(lambda groups: torch.optim.SGD(groups, lr=0.5), model, {"encoder.1": 0.1, "encoder": 2.0})
    groups = make(model.parameters()).param_groups
    assert [group["lr"] for group in groups] == [0.5, 0.05, 1.0]
    assert [[tuple(one.shape) for one in group["params"]] for group in groups] == [
        [(2, 4), (2,)],
        [(4, 4), (4,)],
        [(4, 3), (4,)],
    ]


def test_a_rate_of_one_changes_nothing(model):
    plain = torch.optim.Adam(model.parameters(), lr=0.1)
    *_, wanted = steps(model, lambda *_: None, plain, 3)
    torch.manual_seed(1)
    other = nn.ModuleDict({"encoder": nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4)), "decoder": nn.Linear(4, 2)})
    parted = PartedOptimizer(lambda groups: torch.optim.Adam(groups, lr=0.1), other, {"encoder": 1.0})(
        other.parameters()
    )
    *_, found = steps(other, lambda *_: None, parted, 3)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


NO_PART = "must name parts of the model with weights, but"


@pytest.mark.parametrize(
    ("freeze", "freeze_steps", "message"),
    [
        (["encodr"], None, f"freeze {NO_PART} 'encodr' is none: did you mean encoder?"),
        (
            ["nothing"],
            None,
            f"freeze {NO_PART} 'nothing' is none: there are encoder, encoder.0,",
        ),
        (["encoder", "decoder"], None, "freeze must leave a part to train, but encoder, decoder is all of the model."),
        (["encoder"], 0, "freeze_steps must be at least 1, or null for all, but is 0."),
        ([], 3, "freeze_steps needs parts to freeze, but is 3 beside freeze=[]."),
    ],
)
def test_what_cannot_be_frozen_is_told(model, freeze, freeze_steps, message):
    with pytest.raises(UserError) as error:
        FrozenParts(model, freeze, freeze_steps)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"decoder": 0}, "rates must be above 0, but that of decoder is 0: to keep it as it is, freeze it."),
        ({"x": 1}, f"rates {NO_PART} 'x' is none: there are encoder,"),
    ],
)
def test_rates_that_cannot_be_are_told(model, rates, message):
    with pytest.raises(UserError) as error:
        PartedOptimizer(torch.optim.SGD, model, rates)
    assert str(error.value).startswith(message)


# ---- Weight decay


def test_vectors_and_embeddings_are_spared_from_weight_decay():
    model = nn.ModuleDict({"table": nn.Embedding(5, 4), "norm": nn.LayerNorm(4), "linear": nn.Linear(4, 5)})
    spared = {id(one) for one in spared_from_decay(model)}
    names = {name for name, one in model.named_parameters() if id(one) in spared}
    assert names == {"table.weight", "norm.weight", "norm.bias", "linear.bias"}
    model["linear"].weight = model["table"].weight  # a tied output
    assert len(spared_from_decay(model)) == len(list(model.parameters())) == 4


@pytest.mark.parametrize("cell", CELLS)
def test_vectors_that_a_cell_stacks_are_spared_too(cell):
    cell = CELLS[cell](4, 4)
    spared = {id(one) for one in spared_from_decay(cell)}
    decayed = {name.rpartition(".")[2] for name, one in cell.named_parameters() if id(one) not in spared}
    assert not {name for name in decayed if "peephole" in name or "bias" in name or "gain" in name}
    assert decayed  # matrices


@pytest.mark.parametrize("rates", [{}, {"encoder": 0.1}])
def test_what_is_spared_does_not_shrink_and_the_rest_does(model, rates):
    factory = partial(torch.optim.AdamW, lr=0.1, weight_decay=0.5)
    optimizer = PartedOptimizer(factory, model, rates, spared_from_decay(model))(model.parameters())
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    for one in model.parameters():
        one.grad = torch.zeros_like(one)
    optimizer.step()
    for name, one in model.named_parameters():
        rate = 0.1 * (rates.get("encoder", 1.0) if name.startswith("encoder") else 1.0)
        torch.testing.assert_close(one, before[name] * (1 if name.endswith("bias") else 1 - rate * 0.5))


def test_runs_decay_matrices_alone_unless_told(train_tiny, tmp_path):
    found = {}
    for name, own in (("spared", []), ("all", ["decay_all=true"])):
        train_tiny(tmp_path / name, "optimizer=adamw", "optimizer.weight_decay=0.5", *own, "budget.max_steps=2")
        last = torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)
        found[name] = [group["weight_decay"] for group in last["optimizer_states"][0]["param_groups"]]
    assert found == {"spared": [0.5, 0.0], "all": [0.5]}


def test_decay_of_all_without_any_is_refused_before_data_are_read(train_tiny, tmp_path):
    with pytest.raises(UserError) as error:
        train_tiny(tmp_path, "decay_all=true", "budget.max_steps=2", "data.train_size=0")
    assert str(error.value) == "decay_all=true needs an optimizer with a weight_decay: choose adamw, or leave it out."
