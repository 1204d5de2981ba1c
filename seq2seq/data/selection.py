"""Items that stand for all of some data."""

from collections.abc import Sequence
from typing import TypeVar

_Item = TypeVar("_Item")


def spread_over(items: Sequence[_Item], most: int | None) -> list[_Item]:
    """Items from all over the data, at most so many; all of them for None."""
    count = len(items) if most is None else min(most, len(items))
    return [items[place * len(items) // count] for place in range(count)]
