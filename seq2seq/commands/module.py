"""The module that Lightning trains, as a config describes it."""

from functools import partial
from typing import Any

from seq2seq.config.builder import build, told_at
from seq2seq.config.contract import check_options, check_type
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.checkpoint import saved_with, sealed
from seq2seq.runs.evaluation import build_scores
from seq2seq.runs.possible import check_objective
from seq2seq.runs.run import build_model
from seq2seq.training.averaging import WeightAverage
from seq2seq.training.module import Seq2SeqModule
from seq2seq.training.parts import FrozenParts, PartedOptimizer
from seq2seq.training.step import TrainingStep
from seq2seq.translation.translator import Translator


def build_module(config: dict[str, Any], data: Seq2SeqDataModule) -> Seq2SeqModule:
    """The module that Lightning trains, as a config describes it."""
    model = build_model(config, data.tokenizers)
    step = _build_step(config, model)
    step.objective.prepare(data.target_counts())
    return Seq2SeqModule(
        step=step,
        budget=build(config["budget"], "budget"),
        translator=Translator(model, data.tokenizers, build(config["decoding"], "decoding")),
        dev_examples=data.dev_examples,
        scores=build_scores(config),
        complete=partial(_complete, saved_with(config, data.tokenizers, data.splits)),
    )


def _complete(entries: dict[str, Any], checkpoint: dict[str, Any]) -> None:
    checkpoint |= sealed(checkpoint | entries)


def _build_step(config: dict[str, Any], model: Seq2Seq) -> TrainingStep:
    decay = config["averaging"]["decay"]
    check_type("averaging.decay", decay, float)
    parts = ("objective", "optimizer", "schedule", "scheduled_sampling", "gradients")
    built = {name: build(config[name], name) for name in parts}
    if config["rates"]:
        for name, rate in config["rates"].items():
            check_type(f"rates.{name}", rate, float)
        built["optimizer"] = PartedOptimizer(built["optimizer"], model, config["rates"])
    if config["freeze"] or config["freeze_steps"] is not None:
        check_options(FrozenParts, config)
        built["gradients"] = FrozenParts(model, config["freeze"], config["freeze_steps"], built["gradients"])
    check_objective(built["objective"], model)
    with told_at("averaging", WeightAverage):
        return TrainingStep(model=model, average_decay=decay, seed=config["seed"], **built)
