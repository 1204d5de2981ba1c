"""The closest of several references."""

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein


def edits_to_closest(hypothesis: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Edits from a hypothesis to the reference that needs fewest, and the length of that, the shorter of equal ones."""
    return min((Levenshtein.distance(hypothesis, one), len(one)) for one in references)
