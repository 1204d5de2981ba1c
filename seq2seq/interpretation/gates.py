"""Numbers that sum a trace up: gates that stay shut or open, how long memory lasts, what units follow."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.interpretation.trace import CellTrace, TargetScores, Trace
from seq2seq.layers.attention.statistics import entropies
from seq2seq.shapes import TimeMask

Units = Float[Tensor, " units"]
UnitValues = Float[Tensor, "batch time units"]
Signal = Float[Tensor, "batch time"]


class Saturation(NamedTuple):
    """Shares of activations beyond either end of the range in which a gate can still learn."""

    low: float
    high: float


class Unit(NamedTuple):
    """A unit of a cell's memory, and Pearson's r of its values with a signal."""

    cell: str
    number: int
    correlation: float


def saturation(cell: CellTrace, *, low: float = 0.1, high: float = 0.9) -> dict[str, Saturation]:
    """Shares of every gate's activations that are below `low` and above `high`, by the gate's name.

    After Karpathy et al. 2016, who call a gate left- or right-saturated there. Of a candidate through tanh, the shares
    are beyond -high and high; one through relu or identity does not saturate and is left out.
    """
    shares = {}
    for name, values in cell.gates.items():
        if name != "candidate" or cell.bounded:
            shares[name] = saturated(name, values[cell.mask], low=low, high=high)
    return shares


def saturated(name: str, values: Float[Tensor, "steps units"], *, low: float = 0.1, high: float = 0.9) -> Saturation:
    """Shares of one gate's activations that are below `low`, or -high of a candidate through tanh, and above `high`."""
    bottom = -high if name == "candidate" else low
    return Saturation(float((values < bottom).float().mean()), float((values > high).float().mean()))


def time_constants(cell: CellTrace) -> Units | None:
    """Steps in which a unit's memory fades to 1/e: -1 / ln f, where f is its keep gate's mean; None without one."""
    if cell.keep_gate is None:
        return None
    return fading(cell.gates[cell.keep_gate][cell.mask].mean(0))


def fading(kept: Units) -> Units:
    """Steps in which what is multiplied by `kept` at each fades to 1/e: -1 / ln f."""
    return 1 / kept.clamp(0, 1).reciprocal().log()  # infinity at 1, where -1 / ln f would be its negative


def order_by_peak(cell: CellTrace) -> Int[Tensor, " units"]:
    """Units of the first sentence in the order of the steps at which they peak, those of one step by their mean.

    What peaks is the gate that keeps the memory, or else the first.
    """
    name = cell.keep_gate if cell.keep_gate in cell.gates else next(iter(cell.gates))
    values = cell.gates[name][0, : int(cell.lengths[0])]  # (steps, units)
    return (values.argmax(0) - values.float().mean(0) / 1e3).argsort(stable=True)


def positions(cell: CellTrace) -> Signal:
    """The number of steps that came before each, `batch time`."""
    return torch.arange(cell.hidden.shape[1], device=cell.hidden.device).expand(cell.hidden.shape[:2]).float()


def remaining(cell: CellTrace) -> Signal:
    """The number of steps that come after each, `batch time`; negative on padding, which nothing reads."""
    return cell.lengths.unsqueeze(1) - 1 - positions(cell)


def probe(cell: CellTrace, signals: Sequence[Sequence[float]]) -> Signal:
    """A signal of the user's, `batch time`: a number for each step of every sentence, 0 on padding.

    Raises UserError if there are more numbers or fewer.
    """
    if len(signals) != len(cell.lengths):
        raise UserError(f"probe must have a signal for each of {len(cell.lengths)} sentences, but has {len(signals)}.")
    padded = cell.hidden.new_zeros(cell.hidden.shape[:2])
    for row, (signal, length) in enumerate(zip(signals, cell.lengths.tolist(), strict=True)):
        if len(signal) != length:
            raise UserError(
                f"probe must have {length} numbers, one for each step of {cell.name}, but has {len(signal)}."
            )
        padded[row, :length] = torch.tensor(signal, dtype=padded.dtype)
    return padded


def correlations(values: UnitValues, signal: Signal, mask: TimeMask) -> Units:
    """Pearson's r of every unit of `batch time units` with a `batch time` signal, over all steps.

    0 where either does not change.
    """
    units, wanted = values[mask].double(), signal[mask].double().unsqueeze(-1)
    alive = _changes(units) & _changes(wanted)
    units, wanted = units - units.mean(0), wanted - wanted.mean(0)
    scale = (units.square().sum(0) * wanted.square().sum(0)).sqrt()
    return torch.where(alive, (units * wanted).sum(0) / scale, 0.0).float()


def _changes(values: Float[Tensor, "steps units"]) -> Bool[Tensor, " units"]:
    """Tell of each unit whether its values differ by more than rounding."""
    low, high = values.aminmax(dim=0)
    return high - low > 1e-6 * torch.maximum(low.abs(), high.abs())


def ranked(cells: Iterable[tuple[CellTrace, Tensor]], count: int) -> list[Unit]:
    """Units whose memory follows the signal of their cell most closely, up or down; at most `count`, closest first."""
    units = []
    for cell, signal in cells:
        values = correlations(cell.memory, signal, cell.mask).tolist()
        units += [Unit(cell.name, number, value) for number, value in enumerate(values)]
    return sorted(units, key=lambda unit: -abs(unit.correlation))[:count]


def attention_entropy(trace: Trace) -> TargetScores:
    """Entropies of the weights at every target step, `batch target`, in nats.

    0 looks at one token, ln n at n of them alike; 0 on padding.
    """
    return entropies(trace.weights)


def coverage(trace: Trace) -> Float[Tensor, "batch source"]:
    """The attention, `batch source`, that each source token got from all target steps together."""
    return trace.weights.sum(1)
