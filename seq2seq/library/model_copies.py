"""Copies of a run's models, which calls lay out anew, while a caller may train the models themselves."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

from seq2seq.runs.run import LoadedRun


def copies(members: Sequence[LoadedRun]) -> list[LoadedRun]:
    """The runs with copies of their models, in evaluation mode."""
    return [replace(run, model=deepcopy(run.model).eval()) for run in members]


def weights_now(members: Sequence[LoadedRun]) -> int:
    """A number that is another one once a weight of the models has been replaced, or changed in place."""
    return hash(
        tuple(
            (id(tensor), tensor.data_ptr(), -1 if tensor.is_inference() else tensor._version)
            for run in members
            for tensor in (*run.model.parameters(), *run.model.buffers())
        )
    )
