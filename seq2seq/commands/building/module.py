"""The module that Lightning trains, as a config describes it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim import Adam, Optimizer

from seq2seq.commands.building.batches import window_of
from seq2seq.commands.building.label_lengths import refuse_unlike_lengths
from seq2seq.commands.building.objectives import supply
from seq2seq.commands.building.pacing import pace
from seq2seq.config.builder import build, told_at
from seq2seq.config.closed_table import find
from seq2seq.config.contract import check_options, check_type
from seq2seq.config.signatures import parameters
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.splitting import longest_source
from seq2seq.data.stream_datamodule import StreamDataModule
from seq2seq.errors import UserError
from seq2seq.layers.output.frames import FrameOutput
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.checkpoint import saved_with, sealed
from seq2seq.runs.evaluation import build_scores
from seq2seq.runs.fitting import check_fit
from seq2seq.runs.possible_mixture import refuse_unknown_tags
from seq2seq.runs.possible_training import check_tag, kinds_of
from seq2seq.runs.rules import mode_of
from seq2seq.runs.run import build_model
from seq2seq.runs.translator import following
from seq2seq.training.averaging import WeightAverage, new_average
from seq2seq.training.gradients.noise import NoisyGradients
from seq2seq.training.gradients.transformation import GradientTransformation
from seq2seq.training.module import Seq2SeqModule
from seq2seq.training.muon import spared_of
from seq2seq.training.parts import FrozenParts, PartedOptimizer, spared_from_decay
from seq2seq.training.step import TrainingStep
from seq2seq.translation.forecaster import Forecaster
from seq2seq.translation.translator import Translator


def build_module(config: dict[str, Any], data: Seq2SeqDataModule) -> Seq2SeqModule:
    """The module that Lightning trains, as a config describes it."""
    model = build_model(config, data.tokenizers)
    _take_in(data, model)
    refuse_unknown_tags(data.splits, data.tokenizers)
    refuse_unlike_lengths(data, model)
    data.gather(config["references"])
    if data.mixed is not None:
        data.mixed.tell(data.train_pairs)
    if model.edits != data.tokenizers.edits:
        raise UserError(
            "model=transducer cannot share its target ids, which are edits, with models that write pieces: compare "
            "such runs by evaluate.py."
        )
    _augment(config, data)
    if segmentation := build(config["segmentation"], "segmentation"):
        with told_at("segmentation", type(segmentation)):
            data.segment(segmentation, kinds_of(config))
    pace(config, data)
    step = build_step(config, model)
    supply(step.objective, config, data)
    if not model.output.frames:  # which are not counted
        for part in (step.objective, model.output):
            part.prepare(data.target_counts())
    step.target_window = window_of(config, data)
    return Seq2SeqModule(
        step=step,
        budget=build(config["budget"], "budget"),
        translator=_translator(config, model, data),
        dev_examples=data.dev_examples,
        scores=build_scores(config),
        complete=partial(_complete, saved_with(config, data.tokenizers, data.splits)),
    )


def _augment(config: dict[str, Any], data: Seq2SeqDataModule) -> None:
    """Have train augmented as a config says, or not at all. Raises UserError at data that this does not suit."""
    augmentation = build(config["augmentation"], "augmentation")
    if augmentation is not None:
        check_tag(augmentation, config)
        with told_at("augmentation", type(augmentation)):
            data.augment(augmentation)


def _take_in(data: Seq2SeqDataModule, model: Seq2Seq) -> None:
    """Let a model find the statistics of all there is to train on; the last token, or frame, is padding."""
    if not model.sourceless:
        model.encoder.input.prepare(data.train_pairs.source.flat[:-1].numpy())
    if isinstance(model.output, FrameOutput):
        model.output.take_in(data.train_pairs.target.flat[:-1].numpy())


def _translator(config: dict[str, Any], model: Seq2Seq, data: Seq2SeqDataModule) -> Translator | Forecaster:
    """The translator, or forecaster, that validations score."""
    if model.output.frames:
        return Forecaster(model, data.tokenizers)
    found = Translator(model, data.tokenizers, build(config["decoding"], "decoding"))
    found.longest = longest_source(data.splits.train)
    return following(config, found, rows=data.dev_streams.rows) if isinstance(data, StreamDataModule) else found


def _complete(entries: dict[str, Any], checkpoint: dict[str, Any]) -> None:
    checkpoint |= sealed(checkpoint | entries)


def build_step(config: dict[str, Any], model: Seq2Seq) -> TrainingStep:
    """The training step of a model, as a config describes it."""
    parts = ("objective", "optimizer", "schedule", "scheduled_sampling", "gradients")
    built = {name: build(config[name], name) for name in parts}
    built |= _of_parts(config, model, built["optimizer"], built["gradients"])
    return TrainingStep(model=model, average=build_average(config, model), seed=config["seed"], **built)


def refuse_unfit(config: dict[str, Any], model: Seq2Seq) -> None:
    """Raise UserError at a mistake in what a config says of the parts of such a model, its objective and its inputs."""
    _of_parts(config, model, Adam, None)
    check_fit(config, model)


def _of_parts(
    config: dict[str, Any],
    model: nn.Module,
    optimizer: Callable[..., Optimizer],
    gradients: GradientTransformation | None,
) -> dict[str, Any]:
    """The optimizer and the transformation of gradients, with what a config says of parts of the model."""
    if _spares(config):
        optimizer = partial(optimizer, spared=spared_of(model))
    if not isinstance(config["rates"], dict | None):
        raise UserError(f"rates must be multiples by part, as in rates={{encoder:0.1}}, but is {config['rates']!r}.")
    for name, rate in (config["rates"] or {}).items():
        check_type(f"rates.{name}", rate, float)
    undecayed = spared_from_decay(model) if _spares_from_decay(config) else []
    if config["rates"] or undecayed:
        optimizer = PartedOptimizer(optimizer, model, config["rates"] or {}, undecayed)
    if noise := build(config["gradient_noise"], "gradient_noise"):
        gradients = NoisyGradients(noise, config["seed"], gradients)
    if config["freeze"] or config["freeze_steps"] is not None:
        check_options(FrozenParts, config)
        gradients = FrozenParts(model, config["freeze"], config["freeze_steps"], gradients)
    return {"optimizer": optimizer, "gradients": gradients}


def check_optimizer(config: dict[str, Any]) -> None:
    """Check that an optimizer can do what is asked of it. Raises UserError if not."""
    if config["rates"] and _spares(config):
        raise UserError(
            "rates cannot be given with optimizer=muon, which has groups of its own: use another optimizer."
        )
    build(config["optimizer"], "optimizer")([nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1, 1))])


def _spares_from_decay(config: dict[str, Any]) -> bool:
    """Tell whether weight decay is for some parameters alone. Raises UserError where it is for none at all."""
    check_type("decay_all", config["decay_all"], bool)
    decays = "weight_decay" in config["optimizer"]  # 0 or not, so that it can change where a run goes on
    if config["decay_all"] and not decays:
        raise UserError("decay_all=true needs an optimizer with a weight_decay: choose adamw, or leave it out.")
    if config["decay_all"] and _spares(config):
        raise UserError("decay_all=true says nothing new with optimizer=muon, which decays all weights: leave it out.")
    return decays and not config["decay_all"] and not _spares(config)


def _spares(config: dict[str, Any]) -> bool:
    """Tell whether the optimizer is told of parameters that it treats otherwise."""
    return "spared" in parameters(find(config["optimizer"]["_target_"], "optimizer"))


def build_average(config: dict[str, Any], model: nn.Module) -> WeightAverage:
    """The average of a model's weights that a config asks for. Raises UserError by config path at bad options."""
    options, known = dict(config["averaging"]), parameters(new_average)
    for name, value in options.items():
        if name not in known:
            raise UserError(f"averaging.{name} is not an option: there are {', '.join([*known][1:])}.")
        check_type(f"averaging.{name}", value, known[name].annotation)
    if options.get("kind") == "triggered":
        own, shared = options.get("monitor"), config["monitor"]
        watched = {"monitor": shared["metric"], "mode": mode_of(own) if own else shared["mode"]}
        options |= {name: value for name, value in watched.items() if options.get(name) is None}
    with told_at("averaging", new_average):
        return new_average(model, **options)
