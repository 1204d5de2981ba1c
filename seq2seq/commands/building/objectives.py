"""Objectives, given what a config cannot hold."""

from typing import Any

from seq2seq.config.builder import build, told_at
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.edits.dynamic_oracle import DynamicOracle
from seq2seq.data.edits.edit_tokenizers import EditTokenizers
from seq2seq.data.spreading import spread_over
from seq2seq.metrics.risk import Risk
from seq2seq.runs.evaluation import build_scores
from seq2seq.runs.teachers import load_teachers
from seq2seq.training.objectives.distillation import Distillation, parts_of
from seq2seq.training.objectives.imitation import Imitation
from seq2seq.training.objectives.judge import Judge
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.objectives.sampled import SampledObjective

_SETTLING = 100_000  # of train, whose references settle metrics: their script, their classes


def supply(objective: Objective, config: dict[str, Any], data: Seq2SeqDataModule) -> None:
    """Give an objective what its config cannot hold: a judge of the model's outputs, the models of teachers."""
    for part in parts_of(objective):
        if isinstance(part, SampledObjective):
            with told_at("objective", type(part)):
                settling = [example.targets for example in spread_over(data.splits.train, _SETTLING)]
                risk = Risk(build_scores(config), settling, part.risk)
            length = build(config["decoding"], "decoding").length
            part.judge = Judge(data.tokenizers, data.splits.train, risk, length)
        if isinstance(part, Imitation) and isinstance(data.tokenizers, EditTokenizers):
            part.oracle = DynamicOracle(data.tokenizers)
        if isinstance(part, Distillation):
            part.models = load_teachers(part.teachers, data.tokenizers)
            part.pairs = None if part.top is None else data.train_pairs
