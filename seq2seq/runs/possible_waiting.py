"""Mistakes in training to write while a source is read, known before there are data."""

from typing import Any

from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.training.objectives.distillation import parts_of
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.objectives.sampled import SampledObjective


def refuse_waiting(config: dict[str, Any], objective: Objective, model: Seq2Seq) -> None:
    """Raise UserError where a model that waits would be trained on what it has not read."""
    if model.sourceless or model.decoder.waiting is None:
        return
    if model.output.frames:
        raise UserError("model.waiting must be none with an output of frames, which no session writes: leave one out.")
    if getattr(model.encoder.input, "time_unit", None) is not None:
        raise UserError("model.waiting must be none with a time_unit or a gap_cell, whose gaps no session reads.")
    if config.get("scheduled_sampling") is not None:
        raise UserError(
            "model.waiting must be none with scheduled_sampling, which predicts from whole sources: leave one out."
        )
    if config.get("truncation") is not None:
        raise UserError(
            "model.waiting must be none with truncation, whose windows do not begin where targets do: leave one out."
        )
    for part in parts_of(objective):
        if isinstance(part, SampledObjective):
            raise UserError(
                f"model.waiting must be none with {type(part).__name__}, which judges what is said of whole sources: "
                "leave one out."
            )
