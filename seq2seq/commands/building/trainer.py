"""Lightning's trainer, as a config describes it."""

import logging
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from seq2seq.commands.building.loggers import build_loggers
from seq2seq.commands.training.processes import places
from seq2seq.config.builder import build, told_at
from seq2seq.errors import UserError
from seq2seq.machine import is_busy
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.ranks import first_process, ranks
from seq2seq.runs.meeting import be_silent
from seq2seq.training.checkpoints import WholeFiles
from seq2seq.training.precision import resolve_precision
from seq2seq.training.processes import Processes
from seq2seq.training.saving import CheckpointPolicy
from seq2seq.training.threads import set_training_threads
from seq2seq.training.windows import check_accumulation, check_intervals, check_limits

logger = logging.getLogger(__name__)
_TOKENS_OF_A_PAIR = 16  # about, of words
# Beginnings of warnings, as patterns: advice to those who write a trainer, or what is meant to be as it is.
_ADVICE = (
    r".isinstance.treespec, LeafSpec.. is deprecated",
    r"Checkpoint directory .* exists and is not empty",  # where a run is resumed
    r"Be aware that when using .ckpt_path., callbacks used to create",  # where it is resumed without one of them
    r"You're resuming from a checkpoint that ended before the epoch ended",  # the batches know their place
    r"The number of training batches \(\d+\) is smaller than the logging interval",  # steps count through epochs
    r"The '\w+' does not have many workers",  # batches are in memory
    r"Consider setting .persistent_workers=True.",
    r"[GT]PU available but not used",
    r"LSTM with projections is not supported with oneDNN",
    r"Found \d+ module\(s\) in eval mode at the start of training",
    r"It is recommended to use .self\.log\(.*, sync_dist=True\).",
    r"No device id is provided via .init_process_group.",
)


def build_trainer(config: dict[str, Any], folder: Path) -> lightning.Trainer:
    """The Lightning trainer of a config; what a run always needs is set here, the rest in conf/trainer."""
    # Lightning believes a RANK that another job has left, and then logs nothing.
    rank_zero_only.rank = ranks().rank  # type: ignore[attr-defined]
    callbacks = [build(node, f"callbacks.{name}") for name, node in (config["callbacks"] or {}).items() if node]
    callbacks += [build(config["pruning"], "pruning")] if config["pruning"] else []
    given, monitor = config["trainer"], config["monitor"]
    precision = resolve_precision(config["precision"], given.get("accelerator", "auto"))
    with told_at("trainer", lightning.Trainer):
        _check(given)
    if isinstance(interval := given.get("val_check_interval"), float):  # Lightning takes 200.0 for a share
        given = given | {"val_check_interval": int(interval)}
    trainer = build(given | places(given), "trainer")(
        **_alone(given),
        precision=precision,
        default_root_dir=str(folder),
        logger=build_loggers(config, folder) or False,
        callbacks=[
            *callbacks,
            *_checkpoints(config).callbacks(folder, monitor=monitor["metric"], mode=monitor["mode"]),
        ],
        max_epochs=-1,  # the budget ends training
        check_val_every_n_epoch=None,
        reload_dataloaders_every_n_epochs=1,  # epochs differ in their number of batches
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        inference_mode=False,  # validation exchanges weights that training goes on with
    )
    if isinstance(trainer.strategy, Processes):
        with told_at("trainer.strategy", Processes):
            trainer.strategy.check()
    trainer.strategy.checkpoint_io = WholeFiles()
    return trainer


def _check(given: Mapping[str, Any]) -> None:
    """Raise UserError at options of a trainer that Lightning would misread, or refuse in other words."""
    _check_accelerator(given.get("accelerator"))
    _check_devices(given.get("devices", "auto"), given.get("accelerator"))
    check_intervals(given.get("val_check_interval"), given.get("log_every_n_steps"))
    check_limits(**{name: given[name] for name in ("limit_train_batches", "limit_val_batches") if name in given})
    check_accumulation(given.get("accumulate_grad_batches", 1), given.get("val_check_interval"))


def _check_accelerator(accelerator: object) -> None:
    """Raise UserError where a GPU is asked for, and torch finds none."""
    kinds = {"cuda": [torch.cuda], "mps": [torch.backends.mps], "gpu": [torch.cuda, torch.backends.mps]}
    if (wanted := kinds.get(str(accelerator))) and not any(kind.is_available() for kind in wanted):
        raise UserError(
            f"accelerator must be auto or cpu where torch finds no such device, but is {accelerator!r}: leave it out, "
            "or install a torch that is built for it."
        )


def _check_devices(devices: object, accelerator: object) -> None:
    """Raise UserError at no device, and at names or numbers of devices where there is but the CPU."""
    count = int(str(devices)) if re.fullmatch(r"-?\d+", str(devices)) else None
    gpus = accelerator != "cpu" and (torch.cuda.is_available() or torch.backends.mps.is_available())
    if gpus and (count == 0 or devices == []):
        raise UserError(f"devices must be a number of GPUs, or a list of theirs, but is {devices!r}.")
    if not gpus and devices != "auto" and (count is None or count < 1):
        raise UserError(f"devices must be a number of processes on a CPU, 1 or more, but is {devices!r}.")


def _alone(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keep Lightning from looking for a cluster of its own, where nobody has started other processes.

    It would take any script in a job of SLURM for one of as many tasks as the job may have.
    """
    if ranks().started_by != "itself" or isinstance(given.get("strategy"), Mapping) or given.get("plugins"):
        return {}
    return {"plugins": [LightningEnvironment()]}


def _checkpoints(config: dict[str, Any]) -> CheckpointPolicy:
    policy = build(config["saving"], "saving")
    if not isinstance(policy, CheckpointPolicy):
        raise UserError("saving must be built by CheckpointPolicy, but is not: give saving.keep instead.")
    return policy


def choose_threads(config: dict[str, Any], model: Seq2Seq, device: torch.device, precision: str) -> None:
    """Set the threads of a CPU that a config asks for, or that suit its batches and the width of the model's layers.

    Of several processes each takes the number that is asked for, or with auto the one that its launcher gave it.
    """
    several = ranks().count > 1 or config["trainer"].get("devices", 1) not in (1, "1", "auto")
    if device.type != "cpu" or (several and config["threads"] == "auto"):
        return
    if several:
        os.environ["OMP_NUM_THREADS"] = str(config["threads"])  # of processes that are started; Lightning heeds it, too
    batches, layers = config["batches"], model.decoder.layers
    size = layers[0].hidden_size if layers else model.encoder.output_size  # of a tagger
    rows = min(batches["max_sentences"], max(1, batches["max_tokens"] // _TOKENS_OF_A_PAIR))
    available = torch.get_num_threads()
    chosen = set_training_threads(config["threads"], size=size, rows=rows, bf16=precision.startswith("bf16"))
    if chosen != available:
        logger.info("threads: %d; %d would be no faster", chosen, available)
    elif config["threads"] == "auto" and chosen > 1 and is_busy():
        logger.warning(
            "threads: %d, but others use this processor, and threads wait for each other: threads=1 may be several "
            "times as fast",
            chosen,
        )


def quieten() -> None:
    """Turn off what Lightning and torch say that users of a script cannot act on; their other warnings stay."""
    for name in ("pytorch_lightning", "lightning_fabric"):  # which set their own when they are imported
        logging.getLogger(name).setLevel(logging.WARNING)
    if not first_process():
        be_silent()
        return
    logging.getLogger("pytorch_lightning.profilers").setLevel(logging.INFO)  # the report that trainer.profiler asks for
    for message in _ADVICE:
        warnings.filterwarnings("ignore", message=message)
