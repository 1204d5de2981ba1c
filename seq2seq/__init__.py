"""Train, run and understand LSTM encoder-decoder models with attention.

    run = seq2seq.train([("colonel", "K ER N AH L"), ...])      # or a file, a dict, a data frame
    run.translate(["serendipity"])
    run = seq2seq.load("runs/pairs/2026-11-29_12-00-00")

`seq2seq.nn` has the parts, as modules of torch. All is imported when it is used first.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import seq2seq.nn as nn
    from seq2seq.errors import UserError as UserError
    from seq2seq.library.ensemble import Ensemble as Ensemble
    from seq2seq.library.ensemble import ensemble as ensemble
    from seq2seq.library.run import Run as Run
    from seq2seq.library.run import load as load
    from seq2seq.library.training import train as train
    from seq2seq.library.windows import windows as windows

__version__ = "0.2.0"

# Threads of torch wait for each other by spinning, for so long that a step takes six times as long where other programs
# hold a core. GNU's OpenMP reads this when torch is loaded; short spins cost a quiet machine nothing: docs/settings.md
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

_PLACES = {
    "train": "library.training",
    "load": "library.run",
    "ensemble": "library.ensemble",
    "Run": "library.run",
    "Ensemble": "library.ensemble",
    "UserError": "errors",
    "windows": "library.windows",
}
__all__ = ["Ensemble", "Run", "UserError", "ensemble", "load", "nn", "train", "windows"]


if not TYPE_CHECKING:  # to whom any name would be one that is there

    def __getattr__(name: str) -> Any:
        if name == "nn":
            return import_module("seq2seq.nn")
        if name not in _PLACES:
            raise AttributeError(f"module 'seq2seq' has no attribute {name!r}: it has {', '.join(__all__)}.")
        return getattr(import_module(f"seq2seq.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
