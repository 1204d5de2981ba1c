"""The weights of a run in memory, written as a run of their own."""

from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.derived_run import PASSED_ON, write_run
from seq2seq.runs.described_model import with_weights
from seq2seq.runs.run import LoadedRun, build_model
from seq2seq.runs.run_folder import new_folder


def save_weights(run: LoadedRun, path: Path, place: Path) -> None:
    """Write a run of a path, with its weights as they are in memory, into a new folder.

    Raises UserError, before anything is written, where its config does not describe such weights, or they are not
    finite.
    """
    folder = new_folder("folder", place)
    checkpoint = read_checkpoint(find_checkpoint(path))
    weights = {name: value.detach().cpu() for name, value in run.model.state_dict().items()}
    _check(run, weights)
    kept = {key: checkpoint[key] for key in PASSED_ON if key in checkpoint}
    record = {"saved": str(path), "step": run.step}
    write_run(folder, {**kept, "weights": weights, "global_step": run.step}, record, run.tokenizers)


def _check(run: LoadedRun, weights: dict[str, Tensor]) -> None:
    for name, value in weights.items():
        if not torch.isfinite(value).all():
            raise UserError(f"save writes finite weights, but {name} has others: load the run again.")
    try:
        with_weights(partial(build_model, run.config, run.tokenizers), run.config, weights)
    except UserError as error:
        raise UserError(f"save writes weights of the model that the run's config describes: {error}") from None
