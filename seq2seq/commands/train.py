"""Train a model as a config says, into a run folder."""

import logging
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from omegaconf import OmegaConf

from seq2seq.commands.building.batches import build_batches
from seq2seq.commands.building.loggers import log_config, log_result
from seq2seq.commands.building.module import build_module
from seq2seq.commands.building.trainer import build_trainer, choose_threads
from seq2seq.commands.evaluating.text_scores import finish_text
from seq2seq.commands.training.continuation import end_of, take_up
from seq2seq.commands.training.distilled_data import data_of, taught_tokenizers
from seq2seq.commands.training.fit import fit
from seq2seq.commands.training.memory_room import tokens_that_fit
from seq2seq.commands.training.mistakes import check_monitor, refuse_mistakes
from seq2seq.commands.training.outcome import Outcome
from seq2seq.commands.training.processes import check_memory_for_processes, tell_of_tokenizers, told_tokenizers
from seq2seq.commands.training.rehearsal import Rehearsal
from seq2seq.commands.training.remarks import cost_of, remarks_of
from seq2seq.commands.training.rollback import fit_through
from seq2seq.commands.training.starting_point import StartingPoint, begin_weights
from seq2seq.config.contract import check
from seq2seq.data.examples import Splits
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.finite import strict_json
from seq2seq.models.language_model import LanguageModel
from seq2seq.models.sizes import parameter_count, shortened
from seq2seq.ranks import first_process
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.checkpoint_paths import last_checkpoint
from seq2seq.runs.cut_texts import warn_of_cut_texts
from seq2seq.runs.data_changes import acceptance
from seq2seq.runs.environment import environment
from seq2seq.runs.evaluation import (
    build_scores,
    evaluate,
    warn_of_poor_data,
    warn_of_shared_sources,
)
from seq2seq.runs.forecaster import answering
from seq2seq.runs.last_values import remark_on_last_values
from seq2seq.runs.matmul_precision import set_matmul_precision
from seq2seq.runs.model_kinds import reads_frames
from seq2seq.runs.run import load_run, text_form, tokenizers_of, train_tokenizers
from seq2seq.runs.settling import settle
from seq2seq.runs.shared_frames import warn_of_shared_frames
from seq2seq.runs.uncounted_gaps import warn_of_uncounted_gaps
from seq2seq.runs.unknown_examples import warn_of_unknown
from seq2seq.runs.usual_signals import keep_signals
from seq2seq.training.module import Seq2SeqModule
from seq2seq.translation.forecaster import Forecaster
from seq2seq.translation.reachability import Unreachable
from seq2seq.translation.translator import Translator
from seq2seq.whole_file import write_whole

logger = logging.getLogger(__name__)


def train(config: dict[str, Any], folder: Path, *, resume: bool) -> Outcome:
    """Fit, keep best and last, score the best on test (else dev), and return what came out."""
    config, accepts = acceptance(config)
    start = None if resume else StartingPoint.of(config)
    refuse_mistakes(config, folder, start.run.model if start else None)
    _set_arithmetic(config["matmul_precision"])
    lightning.seed_everything(config["seed"], verbose=False)
    config, splits, tokenizers = _settled(config, start, folder, resume=resume)
    trainer = build_trainer(config, folder)
    data = build_batches(config, splits, tokenizers)
    module = build_module(config, data)
    begin_weights(trainer, module, tokenizers, start, resume=resume)
    choose_threads(config, module.model, trainer.strategy.root_device, str(trainer.precision))
    check_memory_for_processes(trainer)
    out_of_reach = _tell(module, splits)
    resumed = last_checkpoint(folder) if resume else None
    goes_on = resumed is None or take_up(trainer, module, resumed, splits, config, accepts=accepts)
    if resumed is None and first_process():  # nothing is written before all mistakes that can be found have been
        _write_beginnings(folder, config, tokenizers)
    log_config(trainer.loggers, config, parameters=(size := parameter_count(module.model)))
    started = time.monotonic() - module.budget.seconds  # which counts those before an interruption
    if resumed is not None and not goes_on:
        hindsight = end_of(resumed)
    else:
        trainer, module = fit_through(partial(fit, data=data), trainer, module, data, config, resumed)
        remarks = remarks_of(trainer, config, out_of_reach)
        hindsight = {**module.record, **cost_of(trainer), "remarks": remarks, "last_step": trainer.global_step}
    if not trainer.is_global_zero:
        return Outcome()
    seconds, start = time.monotonic() - started, StartingPoint.remembered(config) if resume else start
    outcome = _finish(config, splits, folder, seconds, trainer.strategy.root_device, start, **hindsight)
    log_result(trainer.loggers, config, outcome.record, parameters=size)
    return outcome


def _settled(
    config: dict[str, Any], start: StartingPoint | None, folder: Path, *, resume: bool
) -> tuple[dict[str, Any], Splits, Tokenizers]:
    """The config with all that follows from the data, these, and the tokenizers that are learnt from them."""
    config, splits = _data(config, start, folder, resume=resume)
    learn = partial(_checked_tokenizers, folder=folder, resume=resume, start=start)
    config, tokenizers = settle(config, splits, learn, says=first_process(), fits=tokens_that_fit)
    check(config)
    return config, splits, tokenizers


def _write_beginnings(folder: Path, config: dict[str, Any], tokenizers: Tokenizers) -> None:
    """Write what is known of a run before it trains, all of it or nothing; other processes wait for the tokenizers."""
    try:
        tokenizers.save(folder / "tokenizers")
        write_whole(folder / "environment.json", (strict_json(environment(), indent=2) + "\n").encode())
        write_whole(folder / "config.yaml", OmegaConf.to_yaml(config).encode())
    except OSError:
        shutil.rmtree(folder / "tokenizers", ignore_errors=True)
        (folder / "environment.json").unlink(missing_ok=True)
        raise
    tell_of_tokenizers(folder)


def _tell(module: Seq2SeqModule, splits: Splits) -> Unreachable:
    """Tell, in the first process, the model's size and sources of dev in train; and the references out of reach."""
    if not first_process():
        return Unreachable(0, 0)
    logger.info("model: %s parameters", shortened(parameter_count(module.model)))
    if isinstance(module.model, LanguageModel):
        return Unreachable(0, 0)
    warn_of_shared_sources(splits)
    warn_of_shared_frames(splits)
    warn_of_poor_data(splits)
    warn_of_cut_texts(splits)
    translator = module.translator
    warn_of_uncounted_gaps(splits, translator.tokenizers)
    if isinstance(translator, Forecaster):  # what it writes is not made of pieces
        return Unreachable(0, 0)
    return warn_of_unknown("dev", module.dev_examples, translator)


def _checked_tokenizers(
    config: dict[str, Any], splits: Splits, folder: Path, *, resume: bool, start: StartingPoint | None
) -> Tokenizers:
    """Tokenizers of a config whose metrics are known by now, and are checked first, as learning takes its time."""
    check_monitor(config)
    return _tokenizers(config, splits, folder, resume=resume, start=start)


def _tokenizers(
    config: dict[str, Any], splits: Splits, folder: Path, *, resume: bool, start: StartingPoint | None
) -> Tokenizers:
    """Tokenizers, learnt by the first process; the others are told of them, and resumed runs take what was saved."""
    if resume:
        return tokenizers_of(read_checkpoint(last_checkpoint(folder)))
    if start and start.keeps_tokenizers(splits):
        return start.run.tokenizers
    if (taught := taught_tokenizers(config, splits)) is not None:
        return taught
    return train_tokenizers(config, splits) if first_process() else told_tokenizers(text_form(config))


def _set_arithmetic(matmul_precision: Any) -> None:
    set_matmul_precision(matmul_precision)
    torch.set_flush_denormal(True)  # denormals slow a CPU's LSTM twentyfold; set before threads start


def _data(
    config: dict[str, Any], start: StartingPoint | None, folder: Path, *, resume: bool
) -> tuple[dict[str, Any], Splits]:
    """The splits, and the config with what was found in them, to be so ever after: dev's bound, names of features.

    Both with what a starting point brings along.
    """
    config, splits = data_of(config, folder)
    if splits.held_out_below is not None:
        config = {**config, "data": {**config["data"], "held_out_below": splits.held_out_below}}
    if splits.features and not resume:  # by which other files, in whatever order they have them, are read
        config = {**config, "data": {**config["data"], "features": list(splits.features)}}
    if resume and config["rehearsal"]:
        splits = Rehearsal.of(config["init"]).added_to(splits, config["rehearsal"], config["seed"])
    return (config, splits) if start is None else start.adopt(config, splits)


def _finish(
    config: dict[str, Any],
    splits: Splits,
    folder: Path,
    seconds: float,
    device: torch.device,
    start: StartingPoint | None = None,
    **hindsight: Any,
) -> Outcome:
    """Score the best checkpoint as scripts/evaluate.py would, where it was trained, and return what came out.

    The record, which has the hindsight, is written to metrics.json.
    """
    run = load_run(folder, device)
    if isinstance(run.model, LanguageModel):
        return finish_text(run, splits, folder, {"training_seconds": round(seconds, 1)} | hindsight)
    name, examples = ("test", splits.test) if splits.test else ("dev", splits.dev)
    translator = answering(config, run, device)
    evaluation = evaluate(translator, examples, build_scores(config))
    record = {"split": name, **evaluation.report(), "step": run.step, "training_seconds": round(seconds, 1)} | hindsight
    if remark := remark_on_last_values(examples, evaluation.hypotheses):
        record["remarks"] = [remark, *record.get("remarks", [])]
    if splits.test:  # dev was looked at in samples so far
        record["dev"] = evaluate(translator, splits.dev, build_scores(config)).report()
    if isinstance(translator, Translator) and not reads_frames(config):  # which nobody watches
        keep_signals(folder, translator, splits.dev)
    if start and isinstance(translator, Translator):
        record["fine_tuning"] = {"init": start.path, "scores": start.compare(translator, splits, config)}
    write_whole(folder / "metrics.json", (strict_json(record, indent=2) + "\n").encode())
    metric, mode = config["monitor"]["metric"].removeprefix("dev/"), config["monitor"]["mode"]
    return Outcome(record, examples, evaluation.hypotheses, metric, mode == "max")
