"""The translator of a call, and its threads."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch

from seq2seq.library.model_copies import copies
from seq2seq.library.undisturbed import on_threads
from seq2seq.runs.run import LoadedRun
from seq2seq.runs.translator import build_translator
from seq2seq.translation.threads import ENOUGH_WORK, set_threads
from seq2seq.translation.translator import Translator


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
