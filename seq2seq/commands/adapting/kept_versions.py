"""The start of a run, and all that it has learnt since: read from its versions, and written into them."""

from functools import partial
from pathlib import Path
from typing import Any

from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.derived_run import PASSED_ON, write_parts_of_run
from seq2seq.runs.run import LoadedRun, load_run
from seq2seq.runs.versions import Versions
from seq2seq.training.acceptance import Verdict
from seq2seq.training.fast_translator import fast_translator
from seq2seq.translation.translator import Translator

_APART = ("state_dict", "weights")  # of a learner's state: where checkpoints of training have them


class KeptVersions:
    """The checkpoint of the start, version 0, and the learner's state in the version in use.

    The latter is empty where nothing was learnt yet. The start becomes a version with the first that is accepted.
    """

    def __init__(self, folder: Path, run: LoadedRun) -> None:
        self.versions, self.run = Versions(folder), run
        own = read_checkpoint(find_checkpoint(folder), whole=True)
        if self.versions.current is None:
            self._first, self.start = None, own
        else:
            self._first = find_checkpoint(self.versions.path(0))
            self.start = read_checkpoint(self._first, whole=True)
        learnt = own.get("adaptation", {})
        self.state: dict[str, Any] = {**{name: own[name] for name in _APART}, **learnt} if learnt else {}

    def start_of(self, translator: Translator) -> Translator:
        """The translator with the model of the start."""
        run = self.run if self._first is None else load_run(self._first, translator.device)
        return fast_translator(translator, run.model)

    def keep(self, state: dict[str, Any], verdict: Verdict) -> int:
        """Write what was learnt and accepted as a version, have it used, and return its number."""
        passed_on = {name: self.start[name] for name in PASSED_ON if name in self.start}
        own = ("weights", "global_step", "signals")  # what is usual of signals is so of these weights alone
        begun = passed_on | {name: self.start[name] for name in own if name in self.start}
        if self.versions.current is None:
            self._add(begun, {"step": begun["global_step"]})
        step = begun["global_step"] + state["updates"]
        learnt = {name: value for name, value in state.items() if name not in _APART}
        checkpoint = {**passed_on, **{name: state[name] for name in _APART}, "global_step": step, "adaptation": learnt}
        return self._add(checkpoint, {"step": step, "new": verdict.new.record(), "old": verdict.old.record()})

    def _add(self, checkpoint: dict[str, Any], record: dict[str, Any]) -> int:
        write = partial(write_parts_of_run, checkpoint=checkpoint, record=record, tokenizers=self.run.tokenizers)
        return self.versions.add(write)
