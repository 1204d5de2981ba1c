"""The table of gradients by distance, for whoever watches."""

from collections.abc import Iterator, Mapping, Sequence

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
            for row in _rows(f"  {_PATHS[path]}", flow, distances):
                table.add_row(*row)
    watching_console(_WIDTH).print(table)


def _rows(way: str, flow: Flow, distances: Sequence[int]) -> Iterator[list[str]]:
    """A row for each part of the state that something reaches; the first says the way back, and the factor a step."""
    rate = flow.rate()
    factor = "" if rate is None else f"x {rate:.3f}"
    for part, norms in (("hidden", flow.hidden), ("cell", flow.cell)):
        if norms is not None and any(norms[1:]):
            yield [way, part, *(f"{norms[k]:.2g}" if k < len(norms) else "" for k in distances), factor]
            way = factor = ""
