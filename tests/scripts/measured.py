"""What a question's commands printed, asked for by name: what the claims of docs/questions.md are made of."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]


class Measured:
    """The JSON objects of a question's commands, in order. Values are looked for in the one that has them."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records

    def names(self) -> dict[str, Callable]:
        """What a claim may say, by name."""
        return {name: getattr(self, name) for name in dir(self) if not name.startswith("_") and name not in _OWN}

    def exact(self, command: int = 1) -> float:
        """Percent of lines that are right, by evaluate."""
        return self.records[command - 1]["scores"]["exact_match"]

    def paired(self, number: int) -> Record:
        """A run of several that evaluate compares, from 1."""
        return self.records[0]["runs"][number - 1]

    def at(self, *path: str | int) -> Any:
        """A value of the first object, by the names and numbers that lead to it."""
        found: Any = self.records[0]
        for step in path:
            found = found[step]
        return found

    def second(self, *path: str | int) -> Any:
        """A value of the second object."""
        return Measured(self.records[1:]).at(*path)

    def plain(self, name: str = "loss") -> float:
        """Loss or score of the model as it is."""
        none = self.records[0]["none"]
        return none["loss"] if name == "loss" else none["scores"][name]

    def changed(self, change: str, place: str = "", step: int | None = None, name: str = "exact_match") -> float:
        """Score or loss with a change; of one that was tried in several places, where."""
        found = self._one("interventions", change=change, step=step, **({"place": place} if place else {}))
        return found["loss"] if name == "loss" else found["scores"][name]

    def loss(self, change: str, place: str = "", step: int | None = None) -> float:
        """The loss with a change."""
        return self.changed(change, place, step, "loss")

    def rate(self, name: str, path: str = "whole") -> float:
        """The factor of one step of gradients by distance."""
        return self._one("curves", name=name, path=path)["rate"]

    def arrives(self, name: str, steps: int, path: str = "whole") -> float:
        """What arrives of a loss so many steps before, in either part of the state."""
        curve = self._one("curves", name=name, path=path)
        return max(part[steps] for part in (curve["hidden"], curve["cell"]) if part)

    def sign(self, kind: str, place: str | None = None, gate: str = "") -> float:
        """A vital sign."""
        return self._one("signs", kind=kind, gate=gate, **({"place": place} if place else {}))["value"]

    def span(self, name: str, kind: str = "of_product") -> Record:
        """Time constants of a cell."""
        return self._one("cells", name=name)[kind]

    def median(self, name: str, kind: str = "of_product") -> float:
        """The median of the time constants of a cell."""
        return self.span(name, kind)["quartiles"][1]

    def probe(self, cell: str, signal: str, value: str = "score") -> float:
        """What a linear probe of a cell scores, or its control."""
        return self._one("probes", cell=cell, signal=signal)[value]

    def left(self, cell: str, precision: str, by: str) -> float:
        """The share of a value that is left at the end, over what should be."""
        found = self._one("found", cell=cell, precision=precision, by=by)
        return found["left"][-1] / found["exact"][-1]

    def units(self, name: str) -> int:
        """Units of a cell at as many parameters as the first."""
        return self._one("cells", name=name)["hidden_size"]

    def right(self, name: str, length: int) -> float:
        """Percent of right answers of a cell that was trained for a length."""
        scores = self._one("cells", name=name)["scores"]
        return next(one["mean"] for one in scores if one["length"] == length)

    def parameters(self, name: str) -> int:
        """Parameters of a model with a kind of cell."""
        return next(row["parameters"] for row in self.records[0]["cells"] if row["name"] == name)

    def _one(self, under: str, **wanted: Any) -> Record:
        rows = next(record[under] for record in self.records if under in record)
        found = [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]
        if len(found) != 1:
            raise LookupError(f"{len(found)} rows of {under} have {wanted}")
        return found[0]


_OWN = ("names", "records")
