"""That signatures are checked while tests run: the shapes in them would be prose otherwise."""

import pytest
import signatures
import torch
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, Int, Shaped, _storage
from torch import Tensor, nn

from seq2seq.data.examples import Example
from seq2seq.masking import last_within, length_mask


@pytest.mark.parametrize("lengths", [3, torch.zeros(2, 2, dtype=torch.long), torch.zeros(2)])
def test_a_tensor_of_another_shape_or_type_is_refused(lengths):
    with pytest.raises(BeartypeCallHintViolation):
        length_mask(lengths, 4)


def test_sizes_of_one_name_are_one_size():
    last_within(torch.zeros(2, 3, 4), torch.tensor([1, 3]))
    with pytest.raises(BeartypeCallHintViolation, match="size of dimension batch"):
        last_within(torch.zeros(2, 3, 4), torch.tensor([1, 3, 2]))


def test_what_has_no_tensor_is_checked_too():
    with pytest.raises(BeartypeCallHintViolation):
        Example(3, ("a",))


SHAPES = ["a b", "b a", "a a", " a", "a _", "*a b", "a 3", "#a b", ""]
TYPES = [kind[Tensor, shape] for kind in (Float, Int, Shaped) for shape in SHAPES]
VALUES = [torch.zeros(sizes) for sizes in ((2, 3), (3, 2), (3, 3), (1, 3), (2,), (), (2, 3, 4))]
VALUES += [torch.zeros(2, 3, dtype=torch.int32), nn.Parameter(torch.zeros(3, 3).bfloat16()), 3, None]


@pytest.mark.parametrize("given", VALUES[:4] + [None])
def test_what_fits_and_what_is_known_then_is_as_jaxtyping_says(given):
    def told(check) -> list:
        found = []
        for kind in TYPES:
            for value in VALUES:
                with signatures._scope_of_sizes("context"):
                    check(Float[Tensor, "a b"], given)
                    found.append((check(kind, value), *_storage.get_shape_memo()[:2]))
        return found

    assert told(signatures._fits) == told(signatures._is_array)
