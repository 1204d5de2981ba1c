"""The tables of what units know, for whoever watches."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from seq2seq.runs.watching_console import watching_console


def print_probes(record: Mapping[str, Any], clearest: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Print scores of probes, and the clearest units of each signal, as tables on stderr."""
    console = watching_console()
    title = f"probes on {record['data']} ({record['lines']} lines), held-out lines"
    probes = _table(title, "cell", "signal", "measure", "score", "control", "selectivity", "chance")
    for row in record["probes"]:
        numbers = (f"{row[name]:.3f}" for name in ("score", "control", "selectivity", "chance"))
        probes.add_row(Text(row["cell"]), Text(row["signal"]), row["measure"], *numbers)
    console.print(probes)
    title = f"clearest units; p corrected for {record['tests']:,} tests (Holm)"
    units = _table(title, "cell", "unit", "signal", "r", "partial r", "p")
    for rows in clearest.values():
        for row in rows:
            partial = "-" if row["partial"] is None else f"{row['partial']:+.3f}"
            found = (str(row["unit"]), Text(row["column"]), f"{row['correlation']:+.3f}", partial, f"{row['p']:.1e}")
            units.add_row(Text(row["cell"]), *found)
        units.add_section()
    console.print(units)


def _table(title: str, *names: str) -> Table:
    table = Table(title=Text(title))
    for name in names:
        table.add_column(name, justify="left" if name in ("cell", "signal", "measure") else "right")
    return table
