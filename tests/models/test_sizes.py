import pytest
from torch import nn

from seq2seq.errors import UserError
from seq2seq.models.sizes import fitted_size, parameter_count, shortened


@pytest.mark.parametrize(
    ("wanted", "size"), [(1, 4), (100 * 100, 100), (98 * 98, 96), (98 * 98 + 9, 100), (10**9, 4096)]
)
def test_the_nearest_multiple_of_4_is_found(wanted, size):
    assert fitted_size(lambda size: size * size, wanted) == size


def test_sizes_at_which_no_model_can_be_built_are_too_small():
    def parameters(size: int) -> int:
        if size < 64:
            raise UserError("rank must be at most the size.")
        return size

    assert fitted_size(parameters, 10) == 64
    assert fitted_size(parameters, 101) == 100


@pytest.mark.parametrize(
    ("count", "shown"), [(950, "950"), (12_345, "12.3k"), (1_949_000, "1.9M"), (1_200_000_000, "1.2B")]
)
def test_a_number_of_parameters_is_said_in_short(count, shown):
    assert shortened(count) == shown


def test_what_two_parts_share_counts_once():
    layer = nn.Linear(3, 4)
    assert parameter_count(nn.ModuleList([layer, layer])) == 16
