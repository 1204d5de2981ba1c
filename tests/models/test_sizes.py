import pytest

from seq2seq.errors import UserError
from seq2seq.models.sizes import fitted_size


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
