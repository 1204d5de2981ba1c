"""Statistics of one cell while it reads a stream: sums, however long the stream is."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq.interpretation.bins import Bins, Places
from seq2seq.interpretation.gates import Saturation, Units, fading, saturated
from seq2seq.interpretation.recording import Record, Steps
from seq2seq.layers.recurrent.cells.cell import Cell

WINDOW = 48  # tokens before a marked place that are shown


class CellStatistics:
    """Sums over the steps of one cell: gates and memory of each unit by stretch of the stream, and the last few steps.

    `reduction` is how many tokens one of its steps stands for.
    """

    def __init__(self, record: Record, reduction: int) -> None:
        self.name = record.name
        self.cell: Cell = record.cell
        self.reduction = reduction
        self.gates: dict[str, Bins] = {}
        self.beyond: dict[str, Float[Tensor, " 2"]] = {}  # steps' shares of units below and above, summed
        self.memory: Bins | None = None
        self.squares: Float[Tensor, " units"] | None = None
        self.norm = Bins(1, reduction)
        self.recent_places = torch.zeros(0, dtype=torch.long)
        self.recent = torch.zeros(0, 0)  # memory at each of them

    def add(self, places: Places, steps: Steps) -> None:
        """Count in steps, `1 time units`, at tokens that are so many from the beginning."""
        if len(places) == 0:
            return
        for name, values in steps.gates.items():
            own = values[0].float().cpu()
            self.gates.setdefault(name, Bins(own.shape[1], self.reduction)).add(places, own)
            if name != "candidate" or self.cell.bounded:
                sums = self.beyond.setdefault(name, torch.zeros(2, dtype=torch.float64))
                sums += torch.tensor(saturated(name, own)) * len(own)
        self._add_memory(places, steps.memory[0].float().cpu())

    def _add_memory(self, places: Places, values: Float[Tensor, "steps units"]) -> None:
        if self.memory is None or self.squares is None:
            self.memory = Bins(values.shape[1], self.reduction)
            self.squares = torch.zeros(values.shape[1], dtype=torch.float64)
            self.recent = self.recent.view(0, values.shape[1])
        self.memory.add(places, values)
        self.squares += values.double().square().sum(0)
        self.norm.add(places, values.double().norm(dim=1, keepdim=True))
        self.recent = torch.cat([self.recent, values])[-WINDOW:]
        self.recent_places = torch.cat([self.recent_places, places])[-WINDOW:]

    @property
    def kept(self) -> Units | None:
        """The mean of the gate that keeps each unit's memory; None where there is none."""
        name = self.cell.keep_gate
        return None if name is None or name not in self.gates else self.gates[name].mean

    @property
    def time_constants(self) -> Units | None:
        """Tokens in which a unit's memory fades to 1/e: -1 / ln f, where f is the mean of the gate that keeps it."""
        return None if self.kept is None else fading(self.kept) * self.reduction

    @property
    def saturation(self) -> dict[str, Saturation]:
        """Shares of every gate's activations that are low and high, as of a sentence's trace."""
        return {name: Saturation(*(sums / self.gates[name].total).tolist()) for name, sums in self.beyond.items()}

    def changes(self, start: int) -> tuple[Places, Float[Tensor, "steps units"]] | None:
        """Memory at the last steps from a token on, in deviations from what it was before; None without a before.

        A unit that had not moved before has not changed.
        """
        inside: Bool[Tensor, " steps"] = self.recent_places >= start
        if self.memory is None or self.squares is None or not bool(inside.any()):
            return None
        values = self.recent[inside].double()
        count = self.memory.total - len(values)
        if count < 2:
            return None
        mean = (self.memory.sums.sum(0) - values.sum(0)) / count
        variance = (self.squares - values.square().sum(0)) / count - mean.square()
        moved = variance > 1e-10 * mean.square() + 1e-20
        found = (values - mean) / variance.clamp(min=1e-20).sqrt()
        return self.recent_places[inside], torch.where(moved, found, 0.0)
