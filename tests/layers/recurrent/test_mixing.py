"""The loop of the cells without a recurrent matrix."""

import pytest
import torch

from seq2seq.layers.recurrent.mixing import mix

TIME, BATCH, SIZE = 5, 3, 4
ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "identity": lambda sums: sums}
WAYS = ["plain", "weighted", "shares"]


def terms(way: str) -> list[torch.Tensor]:
    """Sums of three gates, start and, perhaps, the weight of the memory, in float64."""
    shapes = [(TIME, BATCH, 3 * SIZE), (BATCH, SIZE)] + [(SIZE,)] * (way == "weighted")
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def mixed(way, sums, start, weight=None, activation="tanh"):
    before, after, (other,) = mix(sums, start, ACTIVATIONS[activation], weight=weight, shares=way == "shares")
    return before, after, other


def loop(way, sums, start, weight=None, activation="tanh"):
    """Memories before and after every step and the third gate's sums, by the equations and autograd."""
    memories = [start]
    for own, new, other in (row.chunk(3, -1) for row in sums):
        keep = torch.sigmoid(own if weight is None else own + weight * memories[-1])
        if way == "shares":
            keep = keep / (keep + torch.sigmoid(other))
        memories.append(keep * memories[-1] + (1 - keep) * ACTIVATIONS[activation](new))
    return torch.stack(memories[:-1]), torch.stack(memories[1:]), sums[..., 2 * SIZE :]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("way", WAYS)
def test_values_and_gradients_are_those_of_the_equations(way, activation):
    given = terms(way)
    found, wanted = (run(way, *given, activation=activation) for run in (mixed, loop))
    torch.testing.assert_close(found, wanted)
    scale = torch.linspace(-1, 2, TIME * BATCH * SIZE, dtype=torch.float64).view(TIME, BATCH, SIZE)
    losses = [sum((scale**power * part).sum() for power, part in enumerate(parts, 1)) for parts in (found, wanted)]
    torch.testing.assert_close(*(torch.autograd.grad(loss, given) for loss in losses))


@pytest.mark.parametrize("part", [0, 1, 2], ids=["before", "after", "others"])
@pytest.mark.parametrize("way", WAYS)
def test_gradients_pass_gradcheck_whichever_part_is_used(way, part):
    assert torch.autograd.gradcheck(lambda *given: mixed(way, *given)[part], terms(way))
    assert torch.autograd.gradcheck(lambda *given: mixed(way, *given)[part][-1], terms(way))


@pytest.mark.parametrize("start", [0.0, -3.0])
def test_a_start_at_zero_or_below_has_values_and_gradients(start):
    sums, first = terms("plain")[0], torch.full((BATCH, SIZE), start, dtype=torch.float64, requires_grad=True)
    (_, found, _), (_, wanted, _) = mixed("plain", sums, first), loop("plain", sums, first)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(torch.autograd.grad(found.sum(), first), torch.autograd.grad(wanted.sum(), first))


def test_a_weight_of_zero_is_none():
    sums, start = terms("plain")
    weight = torch.zeros(SIZE, dtype=torch.float64)
    torch.testing.assert_close(mixed("weighted", sums, start, weight), mixed("plain", sums, start))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sign", [-50.0, 50.0])
def test_a_saturated_gate_keeps_or_forgets_and_stays_finite(way, sign):
    _, *rest = (each.detach().float().requires_grad_() for each in terms(way))
    own, new, other = torch.full((10, BATCH, SIZE), sign), torch.randn(10, BATCH, SIZE), torch.zeros(10, BATCH, SIZE)
    if way == "shares":
        other -= sign
    sums = torch.cat([own, new, other], -1).requires_grad_()
    _, after, _ = mixed(way, sums, *rest, activation="identity")
    start = rest[0]
    assert torch.equal(after, start.expand_as(after) if sign > 0 else new)
    gradients = torch.autograd.grad(after.sum(), [sums, *rest])
    assert all(gradient.isfinite().all() for gradient in gradients)
    torch.testing.assert_close(gradients[1], torch.full((BATCH, SIZE), 10.0 if sign > 0 else 0.0))


def test_shares_of_two_shut_gates_are_finite():
    sums = torch.cat([torch.full((TIME, BATCH, 1), value) for value in (-200.0, 1.0, -200.0)], -1).requires_grad_()
    after = mix(sums, torch.zeros(BATCH, 1), torch.tanh, shares=True).after
    assert after.isfinite().all()
    assert torch.autograd.grad(after.sum(), sums)[0].isfinite().all()


def test_without_gradients_nothing_is_kept_for_them():
    sums, start = (each.detach() for each in terms("plain"))
    assert not any(part.requires_grad for part in mixed("plain", sums, start))
