"""At most so many of many, evenly."""

import pytest

from seq2seq.data.spreading import spread_over


@pytest.mark.parametrize(("there", "most"), [(501, 500), (7, 3), (3, 7), (1000, 999), (5, 1), (0, 4)])
def test_as_many_as_are_wanted_lie_evenly_over_all(there, most):
    chosen = spread_over(range(there), most)
    assert len(chosen) == min(there, most)
    before = [there * place / len(chosen) for place in range(len(chosen))]
    assert all(0 <= real - whole < 1 for real, whole in zip(before, chosen, strict=True))
