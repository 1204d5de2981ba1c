"""A run that was not trained, but made of others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from seq2seq.data.tokenizers import Tokenizers
from seq2seq.finite import strict_json
from seq2seq.runs.checkpoint import save_checkpoint
from seq2seq.whole_file import write_whole
from seq2seq.whole_folder import whole_folder

PASSED_ON = ("format", "config", "splits", "tokenizers")  # of the checkpoint that a run is made of


def write_run(folder: Path, checkpoint: dict[str, Any], record: Mapping[str, Any], tokenizers: Tokenizers) -> None:
    """Write a checkpoint into a new folder, with what makes a run like others of it; the record is for metrics.json.

    The folder gets its name once all in it is on disk.
    """
    with whole_folder(folder, last="checkpoints") as half:
        write_parts_of_run(half, checkpoint, record, tokenizers)


def write_parts_of_run(
    folder: Path, checkpoint: dict[str, Any], record: Mapping[str, Any], tokenizers: Tokenizers
) -> None:
    """Write what a derived run is made of into a folder that nobody takes for a run yet."""
    save_checkpoint(folder / "checkpoints" / "best.ckpt", checkpoint)
    tokenizers.save(folder / "tokenizers")
    write_whole(folder / "config.yaml", OmegaConf.to_yaml(checkpoint["config"]).encode())
    write_whole(folder / "metrics.json", (strict_json(record, indent=2) + "\n").encode())
