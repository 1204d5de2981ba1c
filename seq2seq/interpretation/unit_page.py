"""The page of what units know, as one HTML file that needs nothing else."""

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from seq2seq.interpretation.unit_examples import ShownLine, ShownUnit
from seq2seq.interpretation.unit_study import UnitFinding

_POSITIVE, _NEGATIVE = "31,95,168", "181,56,42"
_MEASURES = ("score", "control", "selectivity", "chance")


def units_page(
    signals: Mapping[str, Sequence[ShownUnit]],
    probes: Iterable[Mapping[str, Any]],
    command: Callable[[UnitFinding], str],
    *,
    title: str,
    summary: str,
) -> str:
    """The page as HTML: scores of probes, and of each signal the clearest units with lines and an intervention."""
    folder = files("seq2seq.interpretation") / "page"
    parts = {
        "title": html.escape(title),
        "summary": html.escape(summary),
        "style": (folder / "report.css").read_text(encoding="utf-8"),
        "probes": "".join(_probe(row) for row in probes),
        "signals": "".join(_section(name, units, command) for name, units in signals.items()),
    }
    page = (folder / "units.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)


def _probe(row: Mapping[str, Any]) -> str:
    cells = [row["cell"], row["signal"], row["measure"], *(f"{row[name]:.3f}" for name in _MEASURES)]
    return f"        <tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in cells)}</tr>\n"


def _section(name: str, units: Sequence[ShownUnit], command: Callable[[UnitFinding], str]) -> str:
    inner = "".join(_unit(unit, command(unit.finding)) for unit in units)
    if not units:
        inner = '    <p class="note">No unit follows it more closely than chance allows for as many.</p>\n'
    return f"  <section>\n    <h2>Units that follow {html.escape(name)}</h2>\n{inner}  </section>\n"


def _unit(unit: ShownUnit, command: str) -> str:
    found = unit.finding
    partial = "nothing left of it with the rest given" if found.partial is None else f"partial {found.partial:+.3f}"
    chance = f"p {found.p:.1e}" if found.p >= 1e-99 else "p below 1e-99"
    head = f"{found.cell}, unit {found.unit}: {found.column}, r {found.correlation:+.3f}, {partial}, {chance}"
    lines = "".join(f'    <p class="course">{_line(line, unit.scale)}</p>\n' for line in unit.lines)
    return f"    <h3>{html.escape(head)}</h3>\n{lines}    <pre>{html.escape(command)}</pre>\n"


def _line(line: ShownLine, scale: float) -> str:
    """Pieces, blue where the unit is above 0 and red below, the stronger the further."""
    found = []
    for piece, value, signal in zip(line.pieces, line.values, line.signal, strict=True):
        colour = _POSITIVE if value > 0 else _NEGATIVE
        strength = min(1.0, abs(value) / scale) if scale else 0.0
        told = f"unit {value:+.3f}, signal {signal:g}"
        found.append(
            f'<span style="background:rgba({colour},{strength:.2f})" title="{told}">{html.escape(piece)}</span>'
        )
    return " ".join(found)
