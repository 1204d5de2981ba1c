"""Data that teachers add to, kept in the folder of the run that learns from them."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from seq2seq.commands.training.starting_point import know_nearly_all
from seq2seq.config.builder import build, told_at
from seq2seq.data.corpora.kept_pairs import keep_pairs
from seq2seq.data.examples import Splits
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError
from seq2seq.finite import strict_json
from seq2seq.ranks import first_process
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.meeting import current_meeting
from seq2seq.runs.own_files import MADE
from seq2seq.runs.run import pick_device, text_form, tokenizers_of
from seq2seq.runs.teacher_targets import TeacherTargets
from seq2seq.training.objectives.distillation import Distillation, parts_of
from seq2seq.whole_file import write_whole

logger = logging.getLogger(__name__)
_RECORD = "made.json"
_KEPT = {"_target_": "seq2seq.data.corpora.kept_pairs.KeptPairsCorpus"}


def data_of(config: dict[str, Any], folder: Path) -> tuple[dict[str, Any], Splits]:
    """The config and its splits; with what teachers have made in them, where the config asks for that.

    It is made once, by the first process: the run folder keeps all pairs, and the config names them from then on.
    """
    if config.get("distill") is None:
        return config, load_splits(config)
    place = folder.absolute() / MADE
    if first_process():
        # Teachers that are built draw random numbers: the run's own stay those of its repetition, which needs none.
        with _removed_at_failure(place), torch.random.fork_rng(devices=[]):
            _make(config, place)
    if (meeting := current_meeting()) is not None:
        meeting.agree("made", "")  # which takes the first process as long as it takes
    if not (place / _RECORD).exists():
        raise UserError(f"distill needs a run folder that all machines share, but {place / _RECORD} is not there.")
    paths = {name: str(path) if (path := place / f"{name}.jsonl").exists() else None for name in ("dev", "test")}
    config = {**config, "distill": None, "data": {**_KEPT, "train": str(place / "train.jsonl"), **paths}}
    return config, load_splits(config)


def taught_tokenizers(config: dict[str, Any], splits: Splits) -> Tokenizers | None:
    """The tokenizers of the teachers that an objective has, if they were asked for by the same options and know train.

    They were learnt from other data where teachers have added to it, or some has come since.
    """
    for part in parts_of(build(config["objective"], "objective")):
        if isinstance(part, Distillation):
            checkpoint = read_checkpoint(find_checkpoint(part.teachers[0], "objective.teachers"))
            own = tokenizers_of(checkpoint)
            alike = all(checkpoint["config"][name] == config[name] for name in ("tokenizer", "text"))
            return own if alike and know_nearly_all(own, splits) else None
    return None


def _make(config: dict[str, Any], place: Path) -> None:
    """Write the splits with the pairs of teachers to a folder."""
    wanted = build(config["distill"], "distill")
    splits, length = load_splits(config), build(config["decoding"], "decoding").length
    device = pick_device("cpu" if config["trainer"].get("accelerator") == "cpu" else "auto")
    with told_at("distill", TeacherTargets):
        made = wanted.added_to(splits, text_form(config), length, device)
    place.mkdir(exist_ok=True)
    for name in ("train", "dev", "test"):
        if examples := getattr(made, name):
            keep_pairs(place / f"{name}.jsonl", examples)
    record = {"distill": config["distill"], "data": config["data"], "examples": len(made.train)}
    write_whole(place / _RECORD, (strict_json(record, indent=2) + "\n").encode())


@contextmanager
def _removed_at_failure(place: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
