"""The table of a run's health, for whoever watches."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from seq2seq.interpretation.health_rules import RULES
from seq2seq.runs.watching_console import watching_console

_OF_CELLS = (("kept", "open"), ("shut",), ("dead",), ("rank",))  # kinds of sign, by column


def print_health(record: Mapping[str, Any]) -> None:
    """Print vital signs, a row for each cell, and a sentence on each that is out of its range, on stderr."""
    console = watching_console()
    table = Table(title=Text(f"health on {record['data']} ({record['lines']} lines)"))
    for name in ("cell", *(" or ".join(kinds) for kinds in _OF_CELLS)):
        table.add_column(name, justify="left" if name == "cell" else "right")
    signs = record["signs"]
    for cell in dict.fromkeys(sign["place"] for sign in signs if sign["kind"] == "dead"):
        own = [sign for sign in signs if sign["place"] == cell]
        table.add_row(Text(cell), *(_most(own, *kinds) for kinds in _OF_CELLS))
    console.print(table)
    titles = {rule.kind: rule.title for rule in RULES}
    of_cells = {kind for kinds in _OF_CELLS for kind in kinds}
    for sign in signs:
        if sign["kind"] not in of_cells:
            console.print(f"{sign['kind']}: {titles[sign['kind']]}: {100 * sign['value']:.1f} %")
    for sentence in record["advice"] or ["all is within its range"]:
        console.print(Text(sentence))


def _most(signs: Sequence[Mapping[str, Any]], *kinds: str) -> str:
    """The highest share of some kinds of sign, with the gate that it is of; nothing of a cell that has none."""
    found = [sign for sign in signs if sign["kind"] in kinds]
    if not found:
        return "-"
    most = max(found, key=lambda sign: float(sign["value"]))
    return f"{100 * most['value']:.1f} %" + (f" {most['gate']}" if most["gate"] and most["value"] else "")
