"""A trained run in Python."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seq2seq.config.closed_table import trusting
from seq2seq.config.mistakes import in_one_line
from seq2seq.errors import UserError
from seq2seq.library.lines import line_of
from seq2seq.library.pairs import Pairs
from seq2seq.library.saved_weights import save_weights
from seq2seq.library.trained import Trained
from seq2seq.library.usual_modes import usual_modes
from seq2seq.models.sizes import parameter_count, shortened
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.html import table
from seq2seq.runs.record import read_record
from seq2seq.runs.run import load_run
from seq2seq.runs.versions import home_of

if TYPE_CHECKING:
    from seq2seq.library.interpretation import Interpretation


class Run(Trained):
    """A run folder or a checkpoint, loaded: it translates, scores, and is looked into. See `Trained` for the calls."""

    def __init__(self, path: str, *, device: str = "auto", trust: Sequence[str] = ()) -> None:
        super().__init__([path], device=device, trust=trust)
        self.path = Path(self.paths[0])

    @property
    def model(self) -> nn.Module:
        """The trained model, in evaluation mode: a `torch.nn.Module` on the run's device."""
        return self.members[0].model

    @property
    def config(self) -> dict[str, Any]:
        """The options that the run was trained with, in plain types."""
        return self.members[0].config

    @property
    def step(self) -> int:
        """The number of steps that the weights have been trained for."""
        return self.members[0].step

    @cached_property
    def report(self) -> dict[str, Any]:
        """The record of the end of training, as in metrics.json: scores, cost, remarks; empty where there is none.

        Raises UserError if the file is no such record.
        """
        file = home_of(find_checkpoint(self.path).absolute()) / "metrics.json"
        return read_record(file, scores=dict) if file.is_file() else {}

    @property
    def scores(self) -> dict[str, float]:
        """Scores in percent at the end of training, on test where there is one, else dev.

        Raises UserError if the file has others than numbers.
        """
        found = self.report.get("scores", {})
        if not all(type(score) in (int, float) for score in found.values()):
            raise UserError(
                f"{self.path} must have a record with numbers as scores, but has others: evaluate it again."
            )
        return dict(found)

    def _shown(self) -> dict[str, Any]:
        """The record, or none where it cannot be read, as of a folder that is gone."""
        try:
            return {"scores": self.scores, **self.report}
        except UserError:
            return {}

    def fine_tune(self, pairs: Pairs, *, dev: Pairs | None = None, test: Pairs | None = None, **keywords: Any) -> "Run":
        """The run of a model that starts from this one and goes on with other pairs, in a folder of its own.

        `freeze=["encoder"]`, `rates={"encoder": 0.1}` and `rehearsal=0.5` are for what is to be kept; its `report` has
        the scores before and after. See `seq2seq.train` for the rest. Raises UserError where the weights are no longer
        those of the file, from which training starts.
        """
        if "init" not in keywords:
            self._check_kept()
        from seq2seq.library.training import train  # which gives a Run

        return train(pairs, dev=dev, test=test, **{"init": str(self.path), "trust": self.trust, **keywords})

    @usual_modes()
    def _check_kept(self) -> None:
        """Raise UserError where the model's weights are others than those of the file."""
        with in_one_line(), trusting(self.trust):
            kept = load_run(self.path, option="init").model.state_dict()
        now = self.model.state_dict()
        if now.keys() != kept.keys() or not all(_are_equal(now[name].cpu(), kept[name]) for name in kept):
            raise UserError(
                f"fine_tune starts from the weights in {self.path}, but those in memory are others: load the run "
                "again, or fine-tune what run.save(folder) gives."
            )

    @usual_modes()
    def save(self, folder: str | os.PathLike[str]) -> "Run":
        """The run of a new folder, into which the weights are written as they are in memory now.

        It is a run like others, for the command line as well; what else it is comes from this run's file. Raises
        UserError where the folder has something in it, or the weights are no longer of the model that `config`
        describes, or not finite.
        """
        with in_one_line(), trusting(self.trust):
            save_weights(self.members[0], self.path, Path(folder))
        return Run(str(folder), device=self.device, trust=self.trust)

    @usual_modes()
    def interpret(self, text: str | np.ndarray, **keywords: Any) -> "Interpretation":
        """Look into what the model does with a text, or with frames of a run that reads these.

        Gates, states, attention and attributions are there as pictures and a page.
        """
        from seq2seq.library.interpretation import Interpretation  # matplotlib takes a second to import

        return Interpretation.of(self, line_of(text), keywords)

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {value:.2f}" for name, value in self._shown().get("scores", {}).items())
        size = shortened(parameter_count(self.members[0].model))
        return f"Run({str(self.path)!r}: {size} parameters, step {self.step}{', ' if scores else ''}{scores})"

    def _repr_html_(self) -> str:
        record = self._shown()
        scores = record.get("scores", {})
        rows = {"dev": record.get("dev", {}).get("scores", {}), record.get("split", ""): scores}
        body = [[split, *own.values()] for split, own in rows.items() if own]
        return table(repr(self), ["split", *scores], body)


def _are_equal(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)


def load(path: str | os.PathLike[str], *, device: str = "auto", trust: Sequence[str] = ()) -> Run:
    """The run of a folder or a checkpoint, on a device: auto, cpu, cuda or cuda:N.

    Nothing that the file describes is built but from a closed table of classes, and from packages that are trusted.
    Raises UserError if there is none, or if it is damaged, foreign or forged.
    """
    return Run(str(path), device=device, trust=trust)
