"""Data, device and precision of a few steps of training that are looked at, where no run comes of them."""

from typing import Any

import torch

from seq2seq.commands.building.batches import build_batches
from seq2seq.commands.building.trainer import quieten
from seq2seq.config.contract import check_seed
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.errors import UserError
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.matmul_precision import set_matmul_precision
from seq2seq.runs.model_kinds import is_language_model
from seq2seq.runs.run import train_tokenizers
from seq2seq.runs.settling import settle
from seq2seq.training.precision import resolve_precision
from seq2seq.training.speed import Conditions


def load_data(plain: dict[str, Any]) -> tuple[dict[str, Any], Seq2SeqDataModule]:
    """The config with what follows from the data, and these. Raises UserError for a language model, or a bad seed."""
    check_seed(plain)
    if is_language_model(plain):
        raise UserError("model must read a source to be measured, but is a language model: choose another.")
    for name in ("init", "distill"):
        if plain.get(name) is not None:
            off = "null" if name == "init" else "none"
            raise UserError(f"{name} must be {off} where a few steps are looked at: no run and no teacher has a say.")
    set_matmul_precision(plain["matmul_precision"])
    torch.set_flush_denormal(True)
    torch.manual_seed(plain["seed"])
    splits = load_splits(plain)
    plain, tokenizers = settle(plain, splits, train_tokenizers)
    return plain, build_batches(plain, splits, tokenizers)


def conditions(plain: dict[str, Any]) -> Conditions:
    """The device, the precision and the clock of a plain config."""
    quieten()
    accelerator = plain["trainer"]["accelerator"]
    return Conditions(resolve_precision(plain["precision"], accelerator), accelerator, plain.get("clock", "wall"))
