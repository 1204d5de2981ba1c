"""The table of interventions, for whoever watches."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_interventions(record: Mapping[str, Any]) -> None:
    """Print scores and loss without and with each intervention, and how far it moved them, as a table on stderr."""
    plain = record["none"]
    table = Table(title=Text(f"interventions on {record['data']} ({record['examples']} examples)"))
    for name in ("", "change"):
        table.add_column(name)
    for name in (*plain["scores"], "loss"):
        table.add_column(name, justify="right")
        table.add_column("difference (95 %)", justify="right", overflow="fold")
    table.add_row("none", "", *(cell for value in _values(plain).values() for cell in (f"{value:.2f}", "")))
    table.add_section()
    before = ""
    for row in record["interventions"]:
        place, before = ("" if row["place"] == before else row["place"]), row["place"]
        cells = [cell for name, value in _values(row).items() for cell in (f"{value:.2f}", _moved(row, name))]
        table.add_row(Text(place), Text(row["change"]), *cells)
    Console(highlight=False, stderr=True).print(table)


def _values(row: Mapping[str, Any]) -> dict[str, float]:
    return {**row["scores"], "loss": row["loss"]}


def _moved(row: Mapping[str, Any], name: str) -> str:
    found = row["differences"][name]
    ends = found.get("interval")
    return f"{found['difference']:+.2f}" + (f" ({ends[0]:+.2f} to {ends[1]:+.2f})" if ends else "")
