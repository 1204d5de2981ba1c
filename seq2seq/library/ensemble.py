"""Ensembles: several runs that answer as one."""

import os
from collections.abc import Iterable
from typing import Any

from seq2seq.errors import UserError, shown
from seq2seq.library.run import Run
from seq2seq.library.trained import Trained


class Ensemble(Trained):
    """Runs of one target vocabulary, whose probabilities are averaged at every step. See `Trained` for the calls.

    `ensemble="probabilities"` averages these instead of their logarithms.
    """

    def __repr__(self) -> str:
        return f"Ensemble({', '.join(self.paths)})"


def ensemble(runs: Iterable[Run | Any]) -> Ensemble:
    """The ensemble of runs, or of paths of runs, on the first one's device.

    Raises UserError if there is none, or if their target vocabularies differ.
    """
    if isinstance(runs, str | os.PathLike | Trained) or not isinstance(runs, Iterable):
        raise UserError(f"runs must be several runs or their paths, in a list, but is {shown(runs)}.")
    members = [run if isinstance(run, Run) else Run(str(run)) for run in runs]
    if not members:
        raise UserError("runs must hold at least one run, but is empty.")
    trust = list(dict.fromkeys(package for run in members for package in run.trust))
    return Ensemble([str(run.path) for run in members], device=members[0].device, trust=trust)
