"""Paths of columns in columns, with dots between names that may hold dots themselves."""

from collections.abc import Container


def first_of(path: str, names: Container[str]) -> tuple[str, str] | None:
    """The part that a path begins with and that is among some names, the longest of several, and what is left of it.

    None where no such part is among them.
    """
    return next(((start, path[len(start) + 1 :]) for start in beginnings(path) if start in names), None)


def beginnings(path: str) -> list[str]:
    """The whole path, and what is before each of its dots, the longest first."""
    return [path, *(path[:place] for place in range(len(path) - 1, 0, -1) if path[place] == ".")]
