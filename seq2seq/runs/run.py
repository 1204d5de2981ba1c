"""Load a run folder, or a checkpoint, back into a model and its tokenizers."""

import importlib
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from seq2seq.config.builder import build, told_at
from seq2seq.config.contract import targets
from seq2seq.config.moved import up_to_date
from seq2seq.data.examples import Splits
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.finite import refuse_not_finite

FORMAT = 2  # raised whenever a checkpoint of before can no longer be read as it is


@dataclass(frozen=True)
class Run:
    """A trained model ready to use, and how it came about."""

    model: Seq2Seq
    tokenizers: Tokenizers
    config: dict[str, Any]
    step: int


def build_model(config: dict[str, Any], tokenizers: Tokenizers) -> Seq2Seq:
    """The model of a plain config, with fresh weights."""
    return build(config["model"], "model")(
        source_vocabulary_size=tokenizers.source.size, target_vocabulary_size=tokenizers.target.size
    )


def train_tokenizers(config: dict[str, Any], splits: Splits) -> Tokenizers:
    """The tokenizers that a config describes, learnt from what there is to train on."""
    trainer = build(config["tokenizer"], "tokenizer")
    with told_at("tokenizer", type(trainer)):
        return trainer.train(splits.train)


def saved_with(config: dict[str, Any], tokenizers: Tokenizers) -> dict[str, Any]:
    """Entries that make a checkpoint self-contained, in types that load with weights_only=True."""
    models = {side: getattr(tokenizers, side).serialized for side in ("source", "target")}
    return {
        "format": FORMAT,
        "config": config,
        "tokenizers": {side: torch.frombuffer(bytearray(data), dtype=torch.uint8) for side, data in models.items()},
    }


def find_checkpoint(path: str | Path) -> Path:
    """The path of the best checkpoint of a run folder, else of its last; or that of the checkpoint itself.

    Raises UserError if there is none.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"run={path} does not exist: give a run folder or a checkpoint file.")
    if path.is_file():
        return path
    for name in ("best", "last"):
        if (checkpoint := path / "checkpoints" / f"{name}.ckpt").is_file():
            return checkpoint
    raise UserError(f"run={path} holds no checkpoint: there is no checkpoints/best.ckpt or last.ckpt in it.")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The contents of a checkpoint, with its config as this version would have written it.

    Raises UserError if it is not a checkpoint of ours, or of another format.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile, ValueError, KeyError) as error:
        raise UserError(f"{path} is not a checkpoint of seq2seq: it cannot be read ({type(error).__name__}).") from None
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("format"), int):
        raise UserError(f"{path} is not a checkpoint of seq2seq: train one with scripts/train.py.")
    if checkpoint["format"] != FORMAT:
        raise UserError(
            f"{path} is a checkpoint of format {checkpoint['format']}, but this version reads {FORMAT}: train it "
            "again, or use the version that wrote it."
        )
    return {**checkpoint, "config": up_to_date(checkpoint["config"])}


def load_run(path: str | Path, device: str | torch.device = "cpu") -> Run:
    """The run of a folder or checkpoint: its model has the averaged weights and is in evaluation mode."""
    found = find_checkpoint(path)
    checkpoint = read_checkpoint(found)
    refuse_foreign_code(checkpoint["config"], "model")
    sides = {side: bytes(data.numpy()) for side, data in checkpoint["tokenizers"].items()}
    tokenizers = Tokenizers.from_bytes(sides["source"], sides["target"])
    model = build_model(checkpoint["config"], tokenizers)
    refuse_not_finite(checkpoint["weights"], found)
    model.load_state_dict(checkpoint["weights"])
    return Run(model.eval().to(device), tokenizers, checkpoint["config"], checkpoint["global_step"])


def refuse_foreign_code(config: dict[str, Any], *parts: str) -> None:
    """Refuse parts of a config that would build anything but classes of this package.

    A checkpoint may come from anywhere. Raises UserError at the first such node.
    """
    for part in parts:
        for name, node in targets(config[part], part):
            if not _is_ours(node["_target_"]):
                raise UserError(f"{name} must be built by seq2seq, but its _target_ is {node['_target_']!r}.")


def _is_ours(target: str) -> bool:
    """Tell whether a path is that of a class where this package defines it, not of what a module of ours imports."""
    module, _, name = target.rpartition(".")
    if not module.startswith("seq2seq."):
        return False
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return False
    return isinstance(found, type) and found.__module__ == module


def pick_device(name: str) -> torch.device:
    """The device of a name; `auto` is a GPU if there is one. Raises UserError if torch knows no such device."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(name)
    except RuntimeError:
        raise UserError(f"device must be auto, cpu, cuda or cuda:N, but is {name!r}.") from None
