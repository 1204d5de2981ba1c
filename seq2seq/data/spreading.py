"""A few of many lines that stand for all of them."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def spread_over(items: Sequence[Item], most: int | None) -> list[Item]:
    """Items from all over the given ones, evenly and in their order: at most so many, or all of them for None.

    >>> spread_over("abcdefg", 3)
    ['a', 'c', 'e']
    """
    count = len(items) if most is None else min(most, len(items))
    return [items[place * len(items) // count] for place in range(count)]
