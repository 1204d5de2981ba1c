"""Options of a call, as its keywords give them, and the translator that they describe."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch

from seq2seq.config.contract import read_options
from seq2seq.config.keywords import called
from seq2seq.errors import UserError
from seq2seq.library.model_copies import copies
from seq2seq.library.undisturbed import on_threads
from seq2seq.runs.run import LoadedRun
from seq2seq.runs.translator import build_translator
from seq2seq.translation.threads import ENOUGH_WORK, set_threads
from seq2seq.translation.translator import Translator

_SET_BY_LOADING = ("run", "device", "trust")
_OF_A_PROCESS = (
    "matmul_precision",
    "runtime",
    "buffer",
    "input",
    "format",
    "compare",
    "randomization",
    "file",
    "data",
    "out",
    "formats",
)


def read_keywords(script: str, paths: Sequence[str], device: str, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a script for runs on a device. Raises UserError at a keyword that has no effect in Python."""
    for name in keywords:
        key = name.replace("__", ".").partition(".")[0]
        if key in _SET_BY_LOADING:
            raise UserError(f"{key} is chosen when a run is loaded: leave it out here.")
        if key in _OF_A_PROCESS:
            raise UserError(f"{key} is an option of the command line alone: leave it out.")
    run = paths[0] if len(paths) == 1 else list(paths)
    refused = (*_SET_BY_LOADING, *_OF_A_PROCESS)
    with called(script, {**keywords, "run": run, "device": device}, refused) as config:
        return read_options(config)


class ThreadedTranslator:
    """A translator, and the threads that suit it where few lines come at a time."""

    def __init__(self, options: Mapping[str, Any], runs: Sequence[LoadedRun]) -> None:
        self.translator: Translator = build_translator(options, copies(runs))
        with on_threads(torch.get_num_threads()):
            set_threads(options["threads"], self.translator, lines=1)
            self._few = torch.get_num_threads()
        self._is_chosen = options["threads"] != "auto"

    def threads_for(self, lines: int) -> AbstractContextManager[None]:
        """A context on the threads that suit so many lines."""
        few = lines * self.translator.search.width < ENOUGH_WORK
        return on_threads(self._few if few or self._is_chosen else torch.get_num_threads())
