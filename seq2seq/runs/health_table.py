"""The table of a run's health, for whoever watches."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from seq2seq.runs.watching_console import watching_console

_SENTENCES = {
    "entropy": "entropy of attention, of that of even weights",
    "without_context": "right next tokens that stay so without context",
    "without_state": "right next tokens that stay so with context alone, without the decoder's state",
}


def print_health(record: Mapping[str, Any]) -> None:
    """Print vital signs, a row for each cell, and a sentence on each that is out of its range, on stderr."""
    console = watching_console()
    table = Table(title=Text(f"health on {record['data']} ({record['lines']} lines)"))
    for name in ("cell", "gates open on every step", "gates shut", "dead units", "rank of states"):
        table.add_column(name, justify="left" if name == "cell" else "right")
    signs = record["signs"]
    for cell in dict.fromkeys(sign["place"] for sign in signs if sign["kind"] == "dead"):
        own = [sign for sign in signs if sign["place"] == cell]
        table.add_row(
            Text(cell), *(_most(own, *kinds) for kinds in (("kept", "open"), ("shut",), ("dead",), ("rank",)))
        )
    console.print(table)
    for sign in signs:
        if sign["kind"] in _SENTENCES:
            console.print(f"{_SENTENCES[sign['kind']]}: {100 * sign['value']:.1f} %")
    for sentence in record["advice"] or ["all is within its range"]:
        console.print(Text(sentence))


def _most(signs: Sequence[Mapping[str, Any]], *kinds: str) -> str:
    """The highest share of some kinds of sign, with the gate that it is of; nothing of a cell that has none."""
    found = [sign for sign in signs if sign["kind"] in kinds]
    if not found:
        return "-"
    most = max(found, key=lambda sign: float(sign["value"]))
    return f"{100 * most['value']:.1f} %" + (f" {most['gate']}" if most["gate"] and most["value"] else "")
