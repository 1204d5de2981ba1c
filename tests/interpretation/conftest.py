import importlib
import inspect
import pkgutil
from collections.abc import Callable
from functools import partial

import pytest
import signatures  # noqa: F401  before anything of ours is imported

from seq2seq.layers.recurrent import cells
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.factorized import FactorizedLSTMCell
from seq2seq.layers.recurrent.cells.gap_cell import GapCell
from seq2seq.layers.recurrent.cells.grouped import GroupedLSTMCell
from seq2seq.layers.recurrent.cells.highway import RecurrentHighwayCell
from seq2seq.layers.recurrent.cells.low_rank import LowRankLSTMCell
from seq2seq.layers.recurrent.cells.memory import QueueCell, StackCell, SuperpositionCell
from seq2seq.symbols import BOS, EOS

SENTENCES = [[5, 6, 7, 8, EOS], [9, 4, EOS], [11, 10, 9, 8, 7, 6, EOS]]
TARGETS = [[BOS, 4, 5, 6, EOS], [BOS, 12, 11, 10, 9, 8, EOS], [BOS, 7, EOS]]


BASES = {"GatedCell", "MemoryCell"}


def _cell_kinds() -> dict[str, Callable[..., Cell]]:
    """Every kind there is a file for."""
    modules = [
        importlib.import_module(f"{cells.__name__}.{found.name}") for found in pkgutil.iter_modules(cells.__path__)
    ]
    kinds = [kind for module in modules for kind in vars(module).values() if inspect.isclass(kind)]
    concrete = {kind for kind in kinds if issubclass(kind, Cell) and kind.__name__.endswith("Cell")}
    concrete -= {kind for kind in concrete if issubclass(kind, GapCell)}  # which read times, as encoders of frames do
    return {kind.__name__: kind for kind in concrete if not inspect.isabstract(kind) and kind.__name__ not in BASES}


KINDS = _cell_kinds()
KINDS["QRNNCell of window 2"] = partial(KINDS["QRNNCell"], window=2)
TINY = {
    **dict.fromkeys((StackCell, QueueCell, SuperpositionCell), {"width": 3, "depth": 4}),
    LowRankLSTMCell: {"rank": 3},
    FactorizedLSTMCell: {"rank": 3},
    GroupedLSTMCell: {"groups": 2},
    RecurrentHighwayCell: {"depth": 1},  # of more layers the trace has what they keep together, and not what they add
}


@pytest.fixture(params=sorted(KINDS))
def cell_kind(request):
    """Every cell's constructor; it still takes input_size and hidden_size."""
    kind = KINDS[request.param]
    return partial(kind, **TINY.get(kind, {}))


@pytest.fixture(params=["luong", "gnmt", "bahdanau"])
def any_decoder(request):
    return request.param


@pytest.fixture
def pairs(padded):
    """Sources, their lengths, and targets from BOS to EOS, of three sentences."""
    source, lengths = padded(SENTENCES)
    return source, lengths, padded(TARGETS)[0]
