"""Clipping by gate and by the size of weights, and noise."""

import pytest
import torch
from tiny_models import ATTENTIONS, CELLS
from torch import nn

from seq2seq.errors import UserError
from seq2seq.interpretation.trace import named_cells
from seq2seq.training.gradients.clip_adaptively import ClipAdaptively
from seq2seq.training.gradients.clip_by_gate import ClipByGate, _gates
from seq2seq.training.gradients.clip_by_norm import ClipByNorm
from seq2seq.training.gradients.clip_by_value import ClipByValue
from seq2seq.training.gradients.noise import AnnealedNoise, NoisyGradients
from seq2seq.training.gradients.transformation import global_norm
from seq2seq.training.parts import FrozenParts

# ---- Gates


@pytest.fixture
def model(build_model) -> nn.Module:
    """A small model whose gradients are all 0."""
    model = build_model(source_vocabulary_size=9, target_vocabulary_size=9)
    for one in model.parameters():
        one.grad = torch.zeros_like(one)
    return model


def test_a_gate_above_the_norm_is_scaled_down_as_one_vector_and_the_others_stay(model):
    """Rows of both matrices and both biases: 3 and 4 make 5, then 5 and 12 make 13, which becomes 6.5."""
    gates = next(iter(named_cells(model).values())).gates
    forget, candidate = gates["forget"], gates["candidate"]
    parts = (forget.input_parameter, forget.recurrent_parameter, forget.bias_parameters[0])
    for parameter, value in zip(parts, (3.0, 4.0, 12.0), strict=True):
        parameter.grad[forget.rows].view(-1)[0] = value
    candidate.input_parameter.grad[candidate.rows].view(-1)[0] = 2.0
    clip = ClipByGate(max_norm=6.5)
    clip.prepare(model)
    assert float(clip(list(model.parameters()), 0)) == pytest.approx((13.0**2 + 2.0**2) ** 0.5)
    assert float(forget.gradient_norm()) == pytest.approx(6.5, rel=1e-5)
    assert float(forget.input_parameter.grad[forget.rows].view(-1)[0]) == pytest.approx(1.5, rel=1e-5)
    assert float(candidate.gradient_norm()) == 2.0


def test_what_is_in_no_gate_is_a_vector_of_its_own(model):
    output = model.output.weight
    output.grad[0, :2] = torch.tensor([3.0, 4.0])
    clip = ClipByGate(max_norm=1.0)
    clip.prepare(model)
    clip(list(model.parameters()), 0)
    torch.testing.assert_close(output.grad[0, :2], torch.tensor([0.6, 0.8]), rtol=1e-5, atol=0)


def test_gradients_that_are_missing_stay_so(model):
    for one in model.parameters():
        one.grad = None
    clip = ClipByGate()
    clip.prepare(model)
    assert clip(list(model.parameters()), 0) == 0
    assert all(one.grad is None for one in model.parameters())


@pytest.mark.parametrize("name", CELLS)
def test_every_row_of_every_cell_is_clipped_once(name):
    cell = CELLS[name](input_size=8, hidden_size=8)
    count = {one: torch.zeros(len(one)) for one in cell.parameters()}
    for gate in _gates(cell):
        for rows in gate:
            count[rows.parameter][rows.rows] += 1
    assert all(bool((counted == 1).all()) for counted in count.values())


# ---- Parameters of a single number

TRANSFORMATIONS = {
    "gate": lambda: ClipByGate(max_norm=0.5),
    "adaptive": lambda: ClipAdaptively(clipping=0.5),
    "norm": lambda: ClipByNorm(max_norm=0.5),
    "value": lambda: ClipByValue(max_value=0.5),
    "noise": lambda: NoisyGradients(AnnealedNoise(), 1),
}


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_parameters_of_every_attention_are_transformed(build_model, name, attention):
    model = build_model(attention=ATTENTIONS[attention])
    for one in model.parameters():
        one.grad = torch.full_like(one, 3.0)
    transform = TRANSFORMATIONS[name]()
    transform.prepare(model)
    assert float(transform(list(model.parameters()), 0)) > 0
    attending = [one.grad for part, one in model.named_parameters() if "attention" in part]
    assert all(bool((gradient.isfinite() & (gradient != 3.0)).all()) for gradient in attending)


def test_a_gain_alone_is_a_vector_of_its_own(build_model):
    model = build_model(attention=ATTENTIONS["normalized_additive"])
    (gain,) = (one for one in model.parameters() if not one.dim())
    gain.grad = torch.tensor(-3.0)
    clip = ClipByGate(max_norm=0.5)
    clip.prepare(model)
    clip(list(model.parameters()), 0)
    assert float(gain.grad) == pytest.approx(-0.5, rel=1e-5)


# ---- The size of weights


def linear(weight: list[list[float]], gradient: list[list[float]]) -> nn.Parameter:
    one = nn.Parameter(torch.tensor(weight))
    one.grad = torch.tensor(gradient)
    return one


def test_each_row_is_held_to_a_share_of_its_weights():
    """Of norm 5 and a gradient of 10 the share 0.1 leaves 0.5; a gradient of 0.4 stays, and so does none."""
    one = linear([[3.0, 4.0], [3.0, 4.0], [3.0, 4.0]], [[6.0, 8.0], [0.4, 0.0], [0.0, 0.0]])
    assert ClipAdaptively(clipping=0.1)([one], 0) == global_norm([linear([[0.0]], [[10.0]]), linear([[0.0]], [[0.4]])])
    torch.testing.assert_close(one.grad, torch.tensor([[0.3, 0.4], [0.4, 0.0], [0.0, 0.0]]))


def test_rows_that_are_zero_can_still_move():
    one = linear([[0.0, 0.0]], [[3.0, 4.0]])
    ClipAdaptively(clipping=0.1)([one], 0)
    torch.testing.assert_close(one.grad, torch.tensor([[0.6e-4, 0.8e-4]]))


def test_a_bias_is_one_unit():
    one = nn.Parameter(torch.tensor([3.0, 4.0]))
    one.grad = torch.tensor([0.0, 10.0])
    ClipAdaptively(clipping=0.1)([one], 0)
    torch.testing.assert_close(one.grad, torch.tensor([0.0, 0.5]))


def test_the_output_layer_is_left_as_it_is(model):
    for one in model.parameters():
        one.grad = torch.full_like(one, 100.0)
    clip = ClipAdaptively()
    clip.prepare(model)
    clip(list(model.parameters()), 0)
    assert bool((model.output.weight.grad == 100).all())
    tied = {id(one) for one in model.output.parameters()}
    others = [one for one in model.parameters() if id(one) not in tied]
    assert all(float(one.grad.max()) < 100 for one in others)


@pytest.mark.parametrize(("kind", "name"), [(ClipByGate, "max_norm"), (ClipAdaptively, "clipping")])
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_limit_that_is_none_is_refused(kind, name, value):
    with pytest.raises(UserError) as error:
        kind(**{name: value})
    assert str(error.value) == f"{name} must be above 0, but is {value}: for gradients as they are, choose none."


# ---- Noise


@pytest.mark.parametrize(("step", "deviation"), [(0, 0.5477), (100, 0.1539), (1000, 0.0819), (10_000, 0.0435)])
def test_the_deviation_falls_with_the_steps(step, deviation):
    assert AnnealedNoise(eta=0.3).deviation(step) == pytest.approx(deviation, abs=1e-4)


def noisy(step: int, seed: int = 1, first=None, count: int = 40_000, *, relative: bool = False) -> torch.Tensor:
    one = nn.Parameter(torch.zeros(count))
    one.grad = torch.full((count,), 2.0)
    NoisyGradients(AnnealedNoise(eta=0.3, relative=relative), seed, first)([one], step)
    return one.grad


def test_relative_noise_is_of_the_size_of_the_gradient_whatever_that_is():
    found = noisy(100, relative=True)
    assert float(found.std()) == pytest.approx(2.0 * 0.1539, rel=0.02)
    torch.testing.assert_close(noisy(100, first=ClipByNorm(max_norm=1.0), relative=True) * 400, found)


def test_noise_has_that_deviation_and_is_a_function_of_seed_and_step():
    found = noisy(100)
    assert float(found.mean()) == pytest.approx(2.0, abs=0.003)
    assert float(found.std()) == pytest.approx(0.1539, rel=0.02)
    assert torch.equal(found, noisy(100))
    assert not torch.equal(found, noisy(101))
    assert not torch.equal(found, noisy(100, seed=2))


def test_noise_leaves_other_random_numbers_alone():
    before = torch.get_rng_state()
    noisy(3)
    assert torch.equal(torch.get_rng_state(), before)


def test_noise_comes_behind_clipping():
    """Clipped to a norm of 1, the gradient is 0.005 an entry; the noise is what it would be without."""
    clipped = noisy(100, first=ClipByNorm(max_norm=1.0))
    torch.testing.assert_close(clipped - 0.005, noisy(100) - 2.0, rtol=0, atol=1e-5)


def test_noise_does_not_wake_what_is_frozen(model):
    noise = NoisyGradients(AnnealedNoise(relative=False), 1, ClipByGate())
    frozen = FrozenParts(model, ["encoder"], None, noise)
    frozen.prepare(model)
    assert frozen.then.first._gates
    frozen(list(model.parameters()), 0)
    assert all(one.grad is None for one in model.encoder.parameters())
    assert model.output.weight.grad.std() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": 0.0}, "eta must be above 0, but is 0.0: for gradients without noise, choose none."),
        ({"decay": -0.5}, "decay must be at least 0, but is -0.5: noise may not grow."),
    ],
)
def test_noise_outside_its_ranges_is_refused(options, message):
    with pytest.raises(UserError) as error:
        AnnealedNoise(**options)
    assert str(error.value) == message


# ---- In training


@pytest.mark.parametrize(
    "gradients", [ClipByGate(max_norm=0.01), ClipAdaptively(clipping=0.001), NoisyGradients(AnnealedNoise(), 1)]
)
def test_each_changes_what_is_learnt_and_its_direction(new_module, fit, copied, gradients):
    plain, changed = new_module(), new_module(gradients=gradients)
    fit(plain)
    fit(changed)
    names = [
        name for name, weight in copied(plain.model).items() if not torch.equal(weight, copied(changed.model)[name])
    ]
    assert any("decoder" in name for name in names)
