"""Recurrent layers one above the other in one direction."""

from collections.abc import Callable, Sequence

from torch import nn

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.cell import Cell, Cells
from seq2seq.layers.recurrent.connections import by_layer, connect


def build_layers(
    cell: Callable[[int, int], Cell],
    input_size: int,
    hidden_size: int,
    num_layers: int,
    *,
    connection: str | Sequence[str],
    around_bottom: bool,
) -> tuple[Cells, nn.ModuleList]:
    """Cells, bottom first, and the connections by which they hand their outputs upwards.

    The bottom one has a plain connection unless there is to be another around it, too. What the top one hands out is
    `hidden_size` wide. Raises UserError if there are no layers, and at an unknown connection.
    """
    if num_layers < 1:
        raise UserError(f"num_layers must be at least 1, but is {num_layers}.")
    cells, connections, size = [], [], input_size
    for depth, name in enumerate(by_layer(connection, num_layers), 1):
        cells.append(cell(size, hidden_size))
        joined = connect(name, size, hidden_size, top=depth == num_layers)
        plain = depth == 1 and not around_bottom
        connections.append(connect("none", size, hidden_size, top=False) if plain else joined)
        size = connections[-1].size
    return Cells(cells), nn.ModuleList(connections)
