"""Mistakes in what a config asks of a model that is built: its objective and its inputs must suit it."""

from typing import Any

from seq2seq.config.builder import build, told_at
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.possible_carry import refuse_carry
from seq2seq.runs.possible_edits import check_edits
from seq2seq.runs.possible_references import refuse_references
from seq2seq.runs.possible_search import refuse_unattended
from seq2seq.runs.possible_tags import check_tags
from seq2seq.runs.possible_waiting import refuse_waiting
from seq2seq.training.feeding import Feeding


def check_fit(config: dict[str, Any], model: Seq2Seq) -> None:
    """Raise UserError at a mistake in what a config says of the objective and the inputs of such a model."""
    objective = build(config["objective"], "objective")
    if model.edits:
        check_edits(config, objective)
    if model.tags:
        check_tags(config, objective)
    with told_at("objective", type(objective)):
        objective.check(model)
    refuse_references(config, objective, model)
    refuse_waiting(config, objective, model)
    refuse_carry(config, objective, model)
    refuse_unattended(build(config["decoding"], "decoding"), attends=model.attends)
    if sampling := build(config["scheduled_sampling"], "scheduled_sampling"):
        with told_at("scheduled_sampling", Feeding):
            sampling.feeding.check(model)
