"""The table of gradients by distance, for whoever watches."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from seq2seq.interpretation.gradient_flow import Flow
from seq2seq.runs.watching_console import watching_console

_SHOWN = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_PATHS = {"whole": "all ways", "cell": "cell state alone", "hidden": "hidden state alone"}
_WIDTH = 110


def print_flows(curves: Mapping[str, Mapping[str, Flow]], title: str) -> None:
    """Print norms at some distances and the factor of each step, as a table on stderr."""
    longest = max(len(flow.hidden) for flows in curves.values() for flow in flows.values()) - 1
    distances = [distance for distance in _SHOWN if distance <= longest]
    table = Table(title=Text(title))
    table.add_column("way back", min_width=22)
    table.add_column("in")
    for distance in distances:
        table.add_column(f"k={distance}", justify="right")
    table.add_column("a step", justify="right")
    for name, flows in curves.items():
        table.add_section()
        table.add_row(Text(name, style="bold"))
        for path, flow in flows.items():
            rate = flow.rate()
            said = [f"  {_PATHS[path]}", "" if rate is None else f"x {rate:.3f}"]
            for part, norms in (("hidden", flow.hidden), ("cell", flow.cell)):
                if norms is not None and any(norms[1:]):
                    values = [f"{norms[k]:.2g}" if k < len(norms) else "" for k in distances]
                    table.add_row(said[0], part, *values, said[1])
                    said = ["", ""]  # once for both parts
    watching_console(_WIDTH).print(table)
