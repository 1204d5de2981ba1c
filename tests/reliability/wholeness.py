"""What has to be true of a run folder whatever happened to it."""

import json
from pathlib import Path

import torch
import yaml

from seq2seq.runs.checkpoint import read_checkpoint


def check_whole(folder: Path) -> None:
    """Check that every file of a run folder that is there can be read, and nothing lies about."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        assert not path.name.endswith(".part"), path
        if path.suffix == ".ckpt":
            read_checkpoint(path, whole=True)
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.name == "config.yaml":
            assert yaml.safe_load(path.read_text(encoding="utf-8"))["model"]
    if (folder / "tokenizers").is_dir():
        assert {path.stem for path in (folder / "tokenizers").iterdir()} <= {"source", "target"}


def assert_same_weights(folder: Path, other: Path) -> None:
    left, right = (read_checkpoint(one / "checkpoints" / "last.ckpt", whole=True) for one in (folder, other))
    assert left["global_step"] == right["global_step"]
    for part in ("weights", "state_dict"):
        for name, value in left[part].items():
            assert torch.equal(value, right[part][name]), name
