"""A report of all that was found out about one sentence, as one HTML page that needs nothing else."""

import base64
import html
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from io import BytesIO
from typing import Any

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.finite import strict_json
from seq2seq.interpretation.attribution import Attribution
from seq2seq.interpretation.gates import (
    Unit,
    attention_entropy,
    coverage,
    positions,
    probe,
    ranked,
    remaining,
    saturation,
    time_constants,
)
from seq2seq.interpretation.health_rules import health_sentences
from seq2seq.interpretation.trace import CellTrace, Trace
from seq2seq.interpretation.training_curves import TrainingCurves
from seq2seq.interpretation.training_plots import training_figure
from seq2seq.interpretation.vital_plot import vital_figure


@dataclass(frozen=True)
class InterpretedPair:
    """A source that a model read and a target that it wrote or was given, with what was seen in them.

    Pieces are those that the model saw, the end among them. `probe` has a number for every source piece.
    """

    text: str
    output: str
    run: str
    forced: bool
    source: list[str]
    target: list[str]
    trace: Trace
    attributions: list[Attribution] = field(default_factory=list)
    probe: list[float] | None = None
    frames: Float[Tensor, "source feature"] | None = None  # of a series, as the model has normalised them
    line: bool = False  # whether frames are the columns of a picture
    training: TrainingCurves | None = None  # the curves of the run while it learnt, where it was kept
    attends: bool = True  # whether the trace's weights say where the model looked
    not_taken: Collection[str] = ()  # options that the model does not take, which none is told to try

    @property
    def _place(self) -> str:
        return "source token and one for its end" if self.frames is None else "frame"

    def pieces(self, cell: CellTrace) -> list[str]:
        """Pieces that a cell read or wrote, one per step; numbers, where it has steps of its own."""
        pieces = self.target if cell.side == "target" else self.source
        steps = int(cell.lengths[0])
        return pieces if len(pieces) == steps else [str(number) for number in range(1, steps + 1)]

    def probed(self) -> list[CellTrace]:
        """Cells that the probe has a number for at every step; none without a probe.

        Raises UserError if it has not one per source piece.
        """
        if self.probe is None:
            return []
        steps = len(self.source)
        if len(self.probe) != steps:
            raise UserError(f"probe must have {steps} numbers, one per {self._place}, but has {len(self.probe)}.")
        readers = (cell for cell in self.trace.cells.values() if cell.side == "source")
        return [cell for cell in readers if int(cell.lengths[0]) == steps]


def report(reading: InterpretedPair, *, units: int = 8) -> str:
    """The page as HTML; `units` is how many it shows of those that follow a signal.

    Raises UserError if an activation is not finite: there is nothing to show then but that.
    """
    for cell in reading.trace.cells.values():
        if not all(bool(values.isfinite().all()) for values in (*cell.gates.values(), cell.hidden, cell.memory)):
            raise UserError(
                f"Activations of {cell.name} are not finite: train the run again with a lower learning rate or "
                "gradients clipped to less."
            )
    folder = files("seq2seq.interpretation") / "page"
    parts = {
        "title": html.escape(f"{reading.text} → {reading.output}"),
        "text": html.escape(reading.text),
        "output": html.escape(reading.output),
        "style": (folder / "report.css").read_text(encoding="utf-8"),
        "script": (folder / "report.js").read_text(encoding="utf-8"),
        "data": _inlined(contents(reading, units=units)),
        "attention": (folder / "attention.html").read_text(encoding="utf-8") if reading.attends else "",
        "training": _training(reading, (folder / "training.html").read_text(encoding="utf-8")),
    }
    page = (folder / "report.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)


def _training(reading: InterpretedPair, section: str) -> str:
    """The section of the page with the run's curves; nothing where there are none."""
    curves = reading.training
    if curves is None or not curves.points:
        return ""
    return section.replace("{{picture}}", _picture(training_figure(curves))).replace(
        "{{vital}}", _vital(curves, reading.not_taken)
    )


def _vital(curves: TrainingCurves, without: Collection[str]) -> str:
    """The vital signs over the run, and sentences on those that are out of their range at last; nothing without any."""
    if not curves.signs:
        return ""
    said = list(health_sentences(curves.signs[-1][1], without)) or ["All is within its range."]
    sentences = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in said)
    shown = "Vital signs over the steps of the run"
    image = f'<img class="training" alt="{shown}" src="data:image/png;base64,{_picture(vital_figure(curves.signs))}">'
    note = '<p class="note">On a sample of dev: what is beyond the red lines, and what to try.</p>'
    return f'    {note}\n    <ul id="vital-signs">{sentences}</ul>\n    {image}\n'


def _picture(figure: Figure) -> str:
    """A picture as text that a page can hold."""
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=100)
    return base64.b64encode(picture.getvalue()).decode("ascii")


def contents(reading: InterpretedPair, *, units: int) -> dict[str, Any]:
    """The data that the page's script draws, in plain types; None is what has no number, or is not there."""
    found = reading.trace
    looks = {"attention": found.weights, "entropy": attention_entropy(found), "coverage": coverage(found)}
    return {
        "run": reading.run,
        "forced": reading.forced,
        "source": reading.source,
        "target": reading.target,
        "scores": _rounded(found.log_probabilities[0]),
        **{name: _rounded(values[0]) if reading.attends else None for name, values in looks.items()},
        "copied": None if found.copying is None else _rounded(found.copying.shares[0]),
        "copying": None if found.copying is None else _rounded(found.copying.switch[0]),
        "attributions": [
            {
                "method": own.method,
                "score": own.score.replace("_", "-"),
                "shares": _rounded(own.shares),
                "delta": _largest(own.delta),
            }
            for own in reading.attributions
        ],
        "cells": [_cell(reading, cell) for cell in found.cells.values()],
        "signals": [_signal(reading, name, cells, units) for name, cells in _signals(reading).items()],
    }


def _cell(reading: InterpretedPair, cell: CellTrace) -> dict[str, Any]:
    steps = int(cell.lengths[0])
    maps = {**cell.gates, "hidden state": cell.hidden}
    if cell.cell is not None:
        maps["cell state"] = cell.cell
    constants = time_constants(cell)
    return {
        "name": cell.name,
        "pieces": reading.pieces(cell),
        "gates": list(cell.gates),
        "maps": {name: _packed(values[0, :steps]) for name, values in maps.items()},
        "saturation": {name: [round(share, 4) for share in shares] for name, shares in saturation(cell).items()},
        "constants": None if constants is None else _rounded(constants.clamp(max=1e6)),
    }


Signals = dict[str, list[tuple[CellTrace, Tensor]]]


def _signals(reading: InterpretedPair) -> Signals:
    """Signals that units may follow, by name, each with the cells that may follow it.

    In one sentence steps to come are steps gone the other way round, so each of the two has the units that rise with
    it.
    """
    cells = list(reading.trace.cells.values())
    signals: Signals = {
        "position": [(cell, positions(cell)) for cell in cells],
        "remaining length": [(cell, remaining(cell)) for cell in cells],
    }
    if reading.probe is not None:
        signals["probe"] = [(cell, probe(cell, [reading.probe])) for cell in reading.probed()]
    return signals


def _signal(
    reading: InterpretedPair, name: str, cells: Sequence[tuple[CellTrace, Tensor]], count: int
) -> dict[str, Any]:
    every = ranked(cells, sum(cell.memory.shape[-1] for cell, _ in cells))
    if name != "probe":
        every = [unit for unit in every if unit.correlation > 0]
    by_name = {cell.name: (cell, signal) for cell, signal in cells}
    return {"name": name, "units": [_unit(reading, unit, *by_name[unit.cell]) for unit in every[:count]]}


def _unit(reading: InterpretedPair, unit: Unit, cell: CellTrace, signal: Tensor) -> dict[str, Any]:
    steps = int(cell.lengths[0])
    return {
        "cell": unit.cell,
        "number": unit.number,
        "correlation": round(unit.correlation, 4),
        "pieces": reading.pieces(cell),
        "values": _rounded(cell.memory[0, :steps, unit.number]),
        "signal": _rounded(signal[0, :steps]),
    }


def _packed(values: Tensor) -> dict[str, Any]:
    """The values, `time units`, in a byte each, with what scales them: value = byte / 127 x scale."""
    scale = float(values.abs().max()) or 1.0
    signed = (values.double() / scale * 127).round().to(torch.int8).cpu().numpy()
    return {"scale": scale, "units": values.shape[1], "bytes": base64.b64encode(signed.tobytes()).decode("ascii")}


def _rounded(values: Tensor) -> Any:
    """Lists of numbers with four digits behind the point; None of what is not finite, which JSON lacks."""
    text = strict_json(values.detach().double().cpu().tolist())
    return json.loads(text, parse_float=lambda number: round(float(number), 4))


def _largest(deltas: Float[Tensor, " target"] | None) -> float | None:
    """The largest size of what is a number; None without any."""
    known = [] if deltas is None else deltas[deltas.isfinite()].abs().tolist()
    return max(known, default=None)


def _inlined(data: dict[str, Any]) -> str:
    """JSON that may stand inside a script element: no text can end it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
