"""Epochs of training that differ by the step that they begin at, as a config describes them."""

import logging
from typing import Any

from seq2seq.config.builder import build, told_at
from seq2seq.data.batch_growth import BatchGrowth
from seq2seq.data.curriculum import Curriculum
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.pacing import Pacing
from seq2seq.errors import UserError
from seq2seq.ranks import first_process

logger = logging.getLogger(__name__)


def pace(config: dict[str, Any], data: Seq2SeqDataModule) -> None:
    """Have training begin with what is easy, or with small batches, and tell when that ends.

    Raises UserError at a curriculum that does not end within the steps of the budget, at batches that do not grow
    within them, and where the data do not suit.
    """
    curriculum, growth = build(config["curriculum"], "curriculum"), build(config["batch_growth"], "batch_growth")
    data.pacing = None
    if curriculum is None and growth is None:
        return
    limit = config["budget"].get("max_steps")
    data.pacing = Pacing(curriculum, growth, config["trainer"].get("accumulate_grad_batches", 1))
    if curriculum is not None:
        with told_at("curriculum", type(curriculum)):
            _tell_of_curriculum(curriculum, data.pacing, data, limit)
    if growth is not None:
        with told_at("batch_growth", BatchGrowth):
            _tell_of_growth(growth, data.pacing, data, limit)


def _tell_of_curriculum(curriculum: Curriculum, pacing: Pacing, data: Seq2SeqDataModule, limit: int | None) -> None:
    pairs, batches = pacing.epoch(0, data.drawn)
    if (found := pacing.first_from(curriculum.steps, data.drawn, limit)) is None:
        raise UserError(
            f"steps must be so few that an epoch of all pairs begins before budget.max_steps={limit}, but are "
            f"{curriculum.steps}: lower it, or train for more."
        )
    if first_process():
        epoch, step = found
        logger.info(
            "curriculum: the first epoch has %s of %s pairs; from epoch %d on, at step %s, it is all of them",
            *(f"{sum(map(len, batches)):,}", f"{len(pairs):,}", epoch, f"{step:,}"),
        )


def _tell_of_growth(growth: BatchGrowth, pacing: Pacing, data: Seq2SeqDataModule, limit: int | None) -> None:
    if (found := pacing.first_from(growth.every, data.drawn, limit)) is None:
        raise UserError(
            f"every must be so few steps that an epoch begins behind them and before budget.max_steps={limit}, but is "
            f"{growth.every}: lower it, or train for more."
        )
    if first_process():
        largest, (epoch, step) = growth.largest(data.train_plan.budget), found
        logger.info(
            "batch_growth: from epoch %d on, at step %s, batches grow, up to %s tokens and %s sentences",
            *(epoch, f"{step:,}", f"{largest.max_tokens:,}", f"{largest.max_sentences:,}"),
        )
