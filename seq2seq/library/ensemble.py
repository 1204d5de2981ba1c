"""Ensembles: several runs that answer as one."""

import os
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from typing import Any

from seq2seq.errors import UserError, shown
from seq2seq.library.run import Run
from seq2seq.library.trained import Trained
from seq2seq.runs.named_runs import check_together
from seq2seq.runs.run import LoadedRun


class Ensemble(Trained):
    """Runs of one target vocabulary, whose probabilities are averaged at every step. See `Trained` for the calls.

    `ensemble="probabilities"` averages these instead of their logarithms.
    """

    def __repr__(self) -> str:
        return f"Ensemble({', '.join(self.paths)})"


def ensemble(runs: Iterable[Run | Any]) -> Ensemble:
    """The ensemble of runs, or of paths of runs, on the first one's device.

    It answers by the weights that the runs have; of a run on another device, by those that it has now. Raises UserError
    if there is none, or if their target vocabularies differ.
    """
    if isinstance(runs, str | os.PathLike | Trained) or not isinstance(runs, Iterable):
        raise UserError(f"runs must be several runs or their paths, in a list, but is {shown(runs)}.")
    members = [run if isinstance(run, Run) else Run(str(run)) for run in runs]
    if not members:
        raise UserError("runs must hold at least one run, but is empty.")
    trust = list(dict.fromkeys(package for run in members for package in run.trust))
    paths, device = [str(run.path) for run in members], members[0].device
    loaded = [_beside(run, members[0]) for run in members]
    check_together(paths, loaded)
    return Ensemble(paths, device=device, trust=trust, members=loaded)


def _beside(run: Run, first: Run) -> LoadedRun:
    """The loaded run itself, or one with a copy of its model where the first run is on another device."""
    (loaded,) = run.members
    device = next(first.model.parameters()).device
    if next(loaded.model.parameters()).device == device:
        return loaded
    return replace(loaded, model=deepcopy(loaded.model).to(device))
