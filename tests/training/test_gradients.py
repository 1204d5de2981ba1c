import pytest
import torch
from torch import nn

from seq2seq.errors import UserError
from seq2seq.training.gradients.clip_by_norm import ClipByNorm
from seq2seq.training.gradients.clip_by_value import ClipByValue
from seq2seq.training.gradients.transformation import global_norm

NORM = 13.0


@pytest.fixture
def parameters() -> list[nn.Parameter]:
    """Three, of which one has no gradient."""
    given = [torch.tensor([3.0, -4.0]), torch.tensor([[12.0]])]
    parameters = [nn.Parameter(torch.zeros_like(gradient)) for gradient in given]
    for parameter, gradient in zip(parameters, given, strict=True):
        parameter.grad = gradient
    return [*parameters, nn.Parameter(torch.zeros(2))]


def test_the_norm_is_that_of_all_gradients_as_one_vector(parameters):
    assert global_norm(parameters) == NORM


def test_gradients_above_the_norm_keep_their_direction(parameters):
    assert ClipByNorm(max_norm=6.5)(parameters, 0) == NORM
    torch.testing.assert_close(parameters[0].grad, torch.tensor([1.5, -2.0]))
    torch.testing.assert_close(parameters[1].grad, torch.tensor([[6.0]]))


def test_gradients_below_the_norm_stay(parameters):
    assert ClipByNorm(max_norm=14.0)(parameters, 0) == NORM
    assert parameters[0].grad.tolist() == [3.0, -4.0]


def test_every_entry_is_cut_at_the_value(parameters):
    assert ClipByValue(max_value=3.5)(parameters, 0) == NORM
    assert parameters[0].grad.tolist() == [3.0, -3.5]
    assert parameters[1].grad.tolist() == [[3.5]]


@pytest.mark.parametrize("value", [0.0, -1.0])
@pytest.mark.parametrize(("kind", "name"), [(ClipByNorm, "max_norm"), (ClipByValue, "max_value")])
def test_a_limit_that_is_none_is_refused(kind, name, value):
    with pytest.raises(UserError) as error:
        kind(**{name: value})
    assert str(error.value) == f"{name} must be above 0, but is {value}: for gradients as they are, choose none."
