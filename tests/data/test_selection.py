"""Items from all over the data."""

import pytest

from seq2seq.data.selection import spread_over


@pytest.mark.parametrize(("count", "most"), [(8, 5), (502, 500), (999, 500), (1000, 500), (5, 8), (5, 5), (0, 3)])
def test_there_are_as_many_as_may_be_and_they_lie_evenly(count, most):
    found = spread_over(range(count), most)
    assert len(found) == min(count, most)
    steps = {after - before for before, after in zip(found, found[1:], strict=False)}
    assert max(steps, default=1) - min(steps, default=1) <= 1
    assert count - max(found, default=-1) <= count // max(1, min(count, most)) + 1


def test_without_a_number_all_are_taken():
    assert spread_over("abc", None) == ["a", "b", "c"]
