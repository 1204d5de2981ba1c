"""Mistakes in how references of one source are taken together, known before there are data."""

from typing import Any

from seq2seq.data.references import EACH, check_references
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.training.objectives.objective import Objective


def refuse_references(config: dict[str, Any], objective: Objective, model: Seq2Seq) -> None:
    """Raise UserError at references that an objective, or a model's output, cannot take together."""
    check_references(references := config["references"])
    if references == EACH:
        return
    for name in ("curriculum", "batch_growth"):
        if config.get(name):
            raise UserError(f"references={references} cannot be had with {name}, which plans pairs: leave one out.")
    if not objective.weighs_references:
        raise UserError(
            f"references={references} needs an objective that weighs pairs, but {type(objective).__name__} does not: "
            "leave it at each, or choose another objective."
        )
    if references == "log_sum" and model.output.normalizer != "softmax":
        raise UserError(
            "references=log_sum needs an output by softmax, as it sums likelihoods, but normalizer is "
            f"{model.output.normalizer}: choose mean or best, or softmax."
        )
