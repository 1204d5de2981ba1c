"""A run that was not trained, but made of others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from seq2seq.data.tokenizers import Tokenizers
from seq2seq.finite import strict_json
from seq2seq.runs.checkpoint import save_checkpoint
from seq2seq.whole_file import write_whole

PASSED_ON = ("format", "config", "splits", "tokenizers")  # of the checkpoint that a run is made of


def write_run(folder: Path, checkpoint: dict[str, Any], record: Mapping[str, Any], tokenizers: Tokenizers) -> None:
    """Write a checkpoint into a folder, with what makes a run like others of it; the record is for metrics.json."""
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    save_checkpoint(folder / "checkpoints" / "best.ckpt", checkpoint)
    tokenizers.save(folder / "tokenizers")
    write_whole(folder / "config.yaml", OmegaConf.to_yaml(checkpoint["config"]).encode())
    write_whole(folder / "metrics.json", (strict_json(record, indent=2) + "\n").encode())
