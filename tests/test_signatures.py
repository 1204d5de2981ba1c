"""That signatures are checked while tests run: the shapes in them would be prose otherwise."""

import pytest
import torch
from beartype.roar import BeartypeCallHintViolation

from seq2seq.data.examples import Example
from seq2seq.masking import length_mask, masked_softmax


@pytest.mark.parametrize("lengths", [3, torch.zeros(2, 2, dtype=torch.long), torch.zeros(2)])
def test_a_tensor_of_another_shape_or_type_is_refused(lengths):
    with pytest.raises(BeartypeCallHintViolation):
        length_mask(lengths, 4)


def test_sizes_of_one_name_are_one_size():
    masked_softmax(torch.zeros(2, 3, 4), torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(BeartypeCallHintViolation, match="size of dimension source"):
        masked_softmax(torch.zeros(2, 3, 4), torch.ones(2, 5, dtype=torch.bool))


def test_what_has_no_tensor_is_checked_too():
    with pytest.raises(BeartypeCallHintViolation):
        Example(3, ("a",))
