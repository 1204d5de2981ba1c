"""The loop of the cells without a recurrent matrix."""

import pytest
import torch

from seq2seq.layers.recurrent.mixing import mix

TIME, BATCH, SIZE = 5, 3, 4


def terms(*, weighted: bool, scale: float = 1.0):
    """Sums, content, start and, perhaps, the weight of the memory, in float64."""
    shapes = [(TIME, BATCH, SIZE), (TIME, BATCH, SIZE), (BATCH, SIZE)] + [(SIZE,)] * weighted
    return [(scale * torch.randn(shape, dtype=torch.float64)).requires_grad_() for shape in shapes]


def loop(sums, content, start, weight=None):
    """Memories before and after every step, by the equation and autograd."""
    memories = [start]
    for row, new in zip(sums, content, strict=True):
        keep = torch.sigmoid(row if weight is None else row + weight * memories[-1])
        memories.append(keep * memories[-1] + (1 - keep) * new)
    return torch.stack(memories[:-1]), torch.stack(memories[1:])


@pytest.mark.parametrize("weighted", [False, True])
def test_values_and_gradients_are_those_of_the_equation(weighted):
    given = terms(weighted=weighted)
    found, wanted = mix(*given), loop(*given)
    torch.testing.assert_close(tuple(found), wanted)
    scale = torch.linspace(-1, 2, found.after.numel(), dtype=torch.float64).view_as(found.after)
    losses = [(scale * before).sum() + (scale.square() * after).sum() for before, after in (found, wanted)]
    torch.testing.assert_close(*(torch.autograd.grad(loss, given) for loss in losses))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("part", [0, 1], ids=["before", "after"])
def test_gradients_pass_gradcheck_whichever_part_is_used(weighted, part):
    assert torch.autograd.gradcheck(lambda *given: mix(*given)[part], terms(weighted=weighted))
    assert torch.autograd.gradcheck(lambda *given: mix(*given)[part][-1], terms(weighted=weighted))


@pytest.mark.parametrize("start", ["zero", "negative"])
def test_a_start_at_zero_or_below_has_values_and_gradients(start):
    sums, content, _ = terms(weighted=False)
    first = torch.full((BATCH, SIZE), 0.0 if start == "zero" else -3.0, dtype=torch.float64, requires_grad=True)
    found, wanted = mix(sums, content, first).after, loop(sums, content, first)[1]
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(torch.autograd.grad(found.sum(), first), torch.autograd.grad(wanted.sum(), first))


def test_a_weight_of_zero_is_none():
    sums, content, start = terms(weighted=False)
    weight = torch.zeros(SIZE, dtype=torch.float64)
    torch.testing.assert_close(mix(sums, content, start, weight), mix(sums, content, start))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sign", [-50.0, 50.0])
def test_a_saturated_gate_keeps_or_forgets_and_stays_finite(weighted, sign):
    _, content, start, *weight = (each.detach().float().requires_grad_() for each in terms(weighted=weighted))
    sums = torch.full((10, BATCH, SIZE), sign, requires_grad=True)
    content = torch.cat([content, content]).detach().requires_grad_()
    after = mix(sums, content, start, *weight).after
    assert torch.equal(after, start.expand_as(after) if sign > 0 else content)
    gradients = torch.autograd.grad(after.sum(), [sums, content, start, *weight])
    assert all(gradient.isfinite().all() for gradient in gradients)
    torch.testing.assert_close(gradients[2], torch.full((BATCH, SIZE), 10.0 if sign > 0 else 0.0))


def test_a_part_that_nobody_uses_costs_no_gradient():
    sums, content, start = terms(weighted=False)
    start.requires_grad_(False)
    assert not mix(sums.detach(), content.detach(), start).after.requires_grad
    (gradient,) = torch.autograd.grad(mix(sums, content, start).after.sum(), [content])
    assert gradient.ne(0).all()
