"""Shares of an epoch that several corpora have, and the tags by which a model tells them apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CorpusMix:
    """A mix of corpora: their weights by name, or else a temperature, and the tags that stand before their sources."""

    weights: Mapping[str, float] | None = None
    temperature: float = 1.0
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def even(self) -> bool:
        """Tell whether every example comes as often as any other."""
        return self.weights is None and self.temperature == 1

    def counts(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """Numbers of an epoch's examples by corpus, as many in all as there are, and of each at least one.

        Shares are as the weights, or as n^(1 / temperature) of corpora of n examples (Arivazhagan et al. 2019). What
        has no weight, as it is of no corpus of the mix, has as many as it is.
        """
        mixed = {name: size for name, size in sizes.items() if name and size and name in (self.weights or sizes)}
        powers = {
            name: float(size ** (1 / self.temperature) if self.weights is None else self.weights[name])
            for name, size in mixed.items()
        }
        wanted = _rounded([power / sum(powers.values()) for power in powers.values()], sum(mixed.values()))
        return {**sizes, **dict(zip(mixed, wanted, strict=True))}


def tagged(tag: str, text: str) -> str:
    """The text behind a tag, which a tokenizer cuts off as a piece of its own."""
    return f"{tag} {text}"


def untagged(tag: str | None, text: str) -> str:
    """The text without the tag that it has been given."""
    return text if tag is None else text.removeprefix(tag).lstrip()


def _rounded(shares: Sequence[float], total: int) -> list[int]:
    """Whole numbers near the shares of a total, which is their sum, by largest remainders; none is 0."""
    exact = [share * total for share in shares]
    found = [max(1, int(number)) for number in exact]
    order = sorted(range(len(exact)), key=lambda place: found[place] - exact[place])
    for place in order[: max(0, total - sum(found))]:
        found[place] += 1
    while sum(found) > total and max(found) > 1:  # where the least were raised to 1
        found[found.index(max(found))] -= 1
    return found
