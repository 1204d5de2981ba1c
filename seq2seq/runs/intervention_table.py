"""The table of interventions, for whoever watches."""

import math
from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from seq2seq.runs.watching_console import watching_console


def print_interventions(record: Mapping[str, Any]) -> None:
    """Print scores and loss as they are, and how far each intervention moves them, 95 %, as a table on stderr."""
    plain = {**record["none"]["scores"], "loss": record["none"]["loss"]}
    table = Table(title=Text(f"interventions on {record['data']} ({record['examples']} examples)"))
    table.add_column("")
    for name in plain:
        table.add_column(name, justify="right")
    table.add_row("as it is", *(f"{value:.2f}" for value in plain.values()), end_section=True)
    place = ""
    for row in record["interventions"]:
        if row["place"] != place:
            place = row["place"]
            table.add_section()
            table.add_row(Text(place, style="bold"))
        table.add_row(Text(f"  {row['change']}{_at(row)}"), *(_moved(row["differences"][name]) for name in plain))
    watching_console().print(table)


def _at(row: Mapping[str, Any]) -> str:
    return f", step {row['step']}" if "step" in row else ""


def _moved(found: Mapping[str, Any]) -> str:
    if not math.isfinite(found["difference"]):
        return "not finite"
    ends = found.get("interval")
    return f"{found['difference']:+.2f}" + (f" ({ends[0]:+.2f} to {ends[1]:+.2f})" if ends else "")
