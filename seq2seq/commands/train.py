"""Train a model as a config says, into a run folder."""

import json
import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from omegaconf import OmegaConf
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.loggers import TensorBoardLogger

from seq2seq.config.builder import build, told_at
from seq2seq.config.contract import check, check_type
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.examples import Splits
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.evaluation import build_scores, evaluate, load_splits
from seq2seq.runs.matmul_precision import set_matmul_precision
from seq2seq.runs.run import build_model, load_run, read_checkpoint, saved_with, train_tokenizers
from seq2seq.runs.run_folder import first_process
from seq2seq.runs.summary import print_report
from seq2seq.training.averaging import WeightAverage
from seq2seq.training.module import Seq2SeqModule
from seq2seq.training.precision import resolve_precision
from seq2seq.training.step import TrainingStep
from seq2seq.translation.translator import Translator

logger = logging.getLogger(__name__)
_WAIT_SECONDS = 600  # for the first process to prepare the run folder


def train(config: dict[str, Any], folder: Path, *, resume: bool) -> dict[str, float]:
    """Fit, keep best and last, score the best on test (else dev), report and return these scores.

    Processes other than the first return no scores.
    """
    check(config)
    set_matmul_precision(config["matmul_precision"])
    torch.set_flush_denormal(True)  # denormals slow a CPU's LSTM twentyfold; set before threads start
    lightning.seed_everything(config["seed"], verbose=False)
    quieten()
    splits = load_splits(config)
    tokenizers = _tokenizers(config, splits, folder, resume=resume)
    data = build(config["batches"], "batches")(splits=splits, tokenizers=tokenizers)
    module = build_module(config, data)
    _check_monitor(config)
    trainer = build_trainer(config, folder)
    last = folder / "checkpoints" / "last.ckpt"
    if resume:
        _refuse_if_done(module, last)
    elif first_process():  # nothing is written before all mistakes that can be found have been
        tokenizers.save(folder / "tokenizers")
        (folder / "config.yaml").write_text(OmegaConf.to_yaml(config), encoding="utf-8")
    for board in _boards(trainer):
        board.experiment.add_text("config", f"```yaml\n{OmegaConf.to_yaml(config)}```")
    started = time.monotonic()
    _fit(trainer, module, data, last, resume=resume)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # the others are done; metrics must not wait for them
    if not trainer.is_global_zero:
        return {}
    record = _finish(config, splits, folder, time.monotonic() - started)
    for board in _boards(trainer):
        board.log_hyperparams(_hyperparameters(config), _named(record))
        board.finalize("success")
    return record["scores"]


def _fit(
    trainer: lightning.Trainer, module: Seq2SeqModule, data: Seq2SeqDataModule, last: Path, *, resume: bool
) -> None:
    try:
        trainer.fit(module, datamodule=data, ckpt_path=str(last) if resume else None)
    except SystemExit:
        if not trainer.interrupted:
            raise
        # Lightning turned Ctrl-C into an exit of its own, without a word on what is kept.
        kept = f"continue with run_dir={last.parents[1]} resume=true" if last.exists() else "no checkpoint was due yet"
        logger.warning("interrupted at step %d; %s", trainer.global_step, kept)
        raise KeyboardInterrupt from None


def build_module(config: dict[str, Any], data: Seq2SeqDataModule) -> Seq2SeqModule:
    """The module that Lightning trains, as a config describes it."""
    model = build_model(config, data.tokenizers)
    return Seq2SeqModule(
        step=_build_step(config, model),
        budget=build(config["budget"], "budget"),
        translator=Translator(model, data.tokenizers, build(config["decoding"], "decoding")),
        dev_examples=data.splits.dev,
        scores=build_scores(config),
        saved_with=saved_with(config, data.tokenizers),
    )


def _build_step(config: dict[str, Any], model: Seq2Seq) -> TrainingStep:
    decay = config["averaging"]["decay"]
    check_type("averaging.decay", decay, float)
    parts = ("objective", "optimizer", "schedule", "scheduled_sampling", "gradients")
    built = {name: build(config[name], name) for name in parts}
    with told_at("averaging", WeightAverage):
        return TrainingStep(model=model, average_decay=decay, seed=config["seed"], **built)


def build_trainer(config: dict[str, Any], folder: Path) -> lightning.Trainer:
    """The Lightning trainer of a config; what a run always needs is set here, the rest in conf/trainer."""
    board = build(config["logger"], "logger")(save_dir=str(folder)) if config["logger"] else False
    callbacks = [build(node, f"callbacks.{name}") for name, node in config["callbacks"].items() if node]
    precision = resolve_precision(config["precision"], config["trainer"]["accelerator"])
    return build(config["trainer"], "trainer")(
        precision=precision,
        default_root_dir=str(folder),
        logger=board,
        callbacks=[*callbacks, *_checkpoints(config["monitor"], folder)],
        max_epochs=-1,  # the budget ends training
        check_val_every_n_epoch=None,
        reload_dataloaders_every_n_epochs=1,  # epochs differ in their number of batches
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        inference_mode=False,  # validation exchanges weights that training goes on with
    )


def _boards(trainer: lightning.Trainer) -> list[TensorBoardLogger]:
    return [board for board in trainer.loggers if isinstance(board, TensorBoardLogger)]


def _check_monitor(config: dict[str, Any]) -> None:
    """Check that the metric to monitor is one that validation computes.

    Lightning would miss it at the first validation only. Raises UserError if it is not.
    """
    known, metric = ["dev/loss"], config["monitor"]["metric"]
    for scores in build_scores(config).values():
        scores.update(["a"], [["a"]])
        known += [f"dev/{name}" for name in scores.compute()]
    if metric not in known:
        raise UserError(f"monitor.metric must be one of {', '.join(known)}, but is {metric!r}.")


def _checkpoints(monitor: dict[str, Any], folder: Path) -> list[Callback]:
    common: dict[str, Any] = {"dirpath": folder / "checkpoints", "enable_version_counter": False}
    return [
        ModelCheckpoint(filename="best", monitor=monitor["metric"], mode=monitor["mode"], **common),
        ModelCheckpoint(filename="last", **common),
    ]


def _tokenizers(config: dict[str, Any], splits: Splits, folder: Path, *, resume: bool) -> Tokenizers:
    """Tokenizers, learnt by the first process; the others, and resumed runs, read what it wrote."""
    if first_process() and not resume:
        return train_tokenizers(config, splits)
    deadline = time.monotonic() + _WAIT_SECONDS
    while not (folder / "config.yaml").exists():  # written last
        if time.monotonic() > deadline:
            raise UserError(f"The first process has not written {folder}/config.yaml in {_WAIT_SECONDS} seconds.")
        time.sleep(0.2)
    return Tokenizers.load(folder / "tokenizers")


def _refuse_if_done(module: Seq2SeqModule, last: Path) -> None:
    if not last.is_file():
        raise UserError(f"resume=true needs {last}, but there is none: the run stopped before its first validation.")
    checkpoint = read_checkpoint(last)
    module.budget.restore(checkpoint["seconds"])
    if module.budget.spent(checkpoint["global_step"]) >= 1:
        raise UserError(
            f"The run has used up its budget ({module.budget}) at step {checkpoint['global_step']}: "
            "raise budget.max_steps or budget.max_minutes to go on."
        )


def _finish(config: dict[str, Any], splits: Splits, folder: Path, seconds: float) -> dict[str, Any]:
    """Score the best checkpoint as scripts/evaluate.py would and return the record.

    It is written to metrics.json, and the report is printed.
    """
    run = load_run(folder)
    name, examples = ("test", splits.test) if splits.test else ("dev", splits.dev)
    evaluation = evaluate(
        Translator(run.model, run.tokenizers, build(config["decoding"], "decoding")), examples, build_scores(config)
    )
    record = {"split": name, **evaluation.report(), "step": run.step, "training_seconds": round(seconds, 1)}
    (folder / "metrics.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print_report(record, examples, evaluation.hypotheses, folder, Path(sys.argv[0]).parent)
    return record


def quieten() -> None:
    """Turn off Lightning's advertisements and list of devices; warnings stay, but for one that users cannot mend."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".isinstance.treespec, LeafSpec.. is deprecated")


def _named(record: dict[str, Any]) -> dict[str, float]:
    return {f"{record['split']}/{name}": value for name, value in record["scores"].items()}


def _hyperparameters(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values of a config, in plain types, by dotted key, for TensorBoard's table of runs."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            flat |= _hyperparameters(value, f"{prefix}{key}.")
        elif not key.startswith("_"):
            flat[f"{prefix}{key}"] = value
    return flat
