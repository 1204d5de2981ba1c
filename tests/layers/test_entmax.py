"""1.5-entmax: a softmax with exact zeros."""

import pytest
import torch
from torch.testing import assert_close

from seq2seq.errors import UserError
from seq2seq.layers.entmax import check_normalizer, entmax, entmax_loss, logarithms, masked_weights


def by_bisection(scores: torch.Tensor) -> torch.Tensor:
    """p = max(z / 2 - threshold, 0)^2 with the threshold at which it sums to 1, found by halving where it can be."""
    halves = scores.double() / 2
    low, high = halves.amax(-1, keepdim=True) - 1, halves.amax(-1, keepdim=True)
    for _ in range(100):
        middle = (low + high) / 2
        enough = (halves - middle).relu().square().sum(-1, keepdim=True) >= 1
        low, high = torch.where(enough, middle, low), torch.where(enough, high, middle)
    return (halves - low).relu().square()


def test_two_scores_by_hand():
    """(t/2 - x)^2 + x^2 = 1 with x = -threshold: for t = 1, x = (1 + sqrt 7) / 4 - 1/2; a gap of 2 leaves nothing."""
    x = (7**0.5 - 1) / 4
    assert_close(
        entmax(torch.tensor([[1.0, 0.0], [2.0, 0.0], [5.0, 5.0]])),
        torch.tensor([[(0.5 + x) ** 2, x**2], [1.0, 0.0], [0.5, 0.5]]),
    )


@pytest.mark.parametrize("spread", [0.01, 1.0, 5.0, 100.0])
@pytest.mark.parametrize("size", [1, 2, 30, 5000])
def test_it_is_what_bisection_finds(spread, size):
    scores = torch.randn(20, size) * spread
    found = entmax(scores)
    assert_close(found.double(), by_bisection(scores), atol=2e-6, rtol=1e-4)
    assert_close(found.sum(-1), torch.ones(20), atol=1e-5, rtol=0)


def test_ties_share_evenly_and_minus_infinity_has_nothing():
    scores = torch.tensor([[1.0, 1.0, float("-inf"), 1.0]]).requires_grad_()
    found = entmax(scores)
    assert_close(found, torch.tensor([[1 / 3, 1 / 3, 0.0, 1 / 3]]))
    found[0, 0].backward()
    assert scores.grad.isfinite().all()
    assert scores.grad[0, 2] == 0


def test_gradients_are_those_of_the_values():
    scores = (torch.randn(4, 7, dtype=torch.double) * 1.5).requires_grad_()
    assert (entmax(scores) == 0).any()
    assert torch.autograd.gradcheck(entmax, (scores,))


def test_the_gradient_of_the_loss_is_probability_less_target():
    scores, targets = (torch.randn(5, 6, dtype=torch.double) * 2).requires_grad_(), torch.tensor([0, 5, 2, 3, 1])
    entmax_loss(scores, targets).sum().backward()
    assert_close(scores.grad, entmax(scores.detach()) - torch.eye(6, dtype=torch.double)[targets])
    assert torch.autograd.gradcheck(lambda given: entmax_loss(given, targets), (scores,))


def test_the_loss_of_an_example_by_hand():
    """Even scores of two: p = (.5, .5), loss = 4/3 (1 - 2 * .5^1.5); a gap of 2 makes it 0."""
    found = entmax_loss(torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 0, 1]))
    assert_close(found, torch.tensor([4 / 3 * (1 - 2 * 0.5**1.5), 0.0, 2.0]))


def test_what_cannot_be_said_adds_nothing_to_the_loss():
    scores = torch.tensor([[0.3, float("-inf"), 1.0]]).requires_grad_()
    loss = entmax_loss(scores, torch.tensor([0]))
    assert_close(loss, entmax_loss(scores[:, [0, 2]], torch.tensor([0])))
    loss.sum().backward()
    assert scores.grad.isfinite().all()


def test_logarithms_of_zeros_are_minus_infinity_and_pass_no_gradient():
    scores = torch.tensor([[3.0, 0.0, 2.5]]).requires_grad_()
    found = logarithms(entmax(scores))
    assert found[0, 1] == float("-inf")
    found[0, [0, 2]].sum().backward()
    assert scores.grad.isfinite().all()


def test_it_computes_in_float32_or_better():
    assert entmax(torch.randn(2, 3, dtype=torch.bfloat16)).dtype == torch.float32
    assert entmax(torch.randn(2, 3, dtype=torch.double)).dtype == torch.double


def test_weights_are_zero_on_padding():
    weights = masked_weights(
        "entmax", torch.tensor([[[9.0, 0.0, 9.0, 9.0]]]), torch.tensor([[True, True, False, False]])
    )
    assert weights.tolist() == [[[1.0, 0.0, 0.0, 0.0]]]


def test_no_rows_are_no_rows():
    assert entmax(torch.zeros(0, 5)).shape == (0, 5)
    assert entmax_loss(torch.zeros(0, 5), torch.zeros(0, dtype=torch.long)).shape == (0,)


def test_another_name_is_refused():
    with pytest.raises(UserError) as error:
        check_normalizer("sparsemax")
    assert str(error.value) == "normalizer must be one of softmax, entmax, but is 'sparsemax'."
