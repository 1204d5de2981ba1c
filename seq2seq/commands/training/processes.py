"""Other processes that train with this one: started here, or met where somebody else has started them."""

import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch

from seq2seq.commands.training.continuation import continuation
from seq2seq.commands.training.memory_room import WORD
from seq2seq.config.invocation import invocation
from seq2seq.config.job import given_overrides
from seq2seq.config.places import SCRIPTS
from seq2seq.control_groups import threads_each
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.edits.edit_tokenizers import load
from seq2seq.data.text import TextForm
from seq2seq.data.text_datamodule import TextDataModule
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError
from seq2seq.ranks import OWN, Ranks, ranks
from seq2seq.runs.folder_bytes import packed, unpacked
from seq2seq.runs.meeting import Meeting, current_meeting, met
from seq2seq.training.free_memory import free_bytes, held_bytes

logger = logging.getLogger(__name__)
_LOOPBACK = "127.0.0.1"
_END_SECONDS = 30.0  # for processes that are through


def places(options: Mapping[str, Any]) -> dict[str, int]:
    """The devices and machines of a trainer whose processes somebody else has started, as they are; else none."""
    own = ranks()
    if own.started_by == "itself":
        return {}
    strategy = options.get("strategy")
    several = isinstance(strategy, Mapping) or (isinstance(strategy, str) and strategy != "auto")
    if own.count > 1 and not several:
        name = {"torchrun": "torchrun", "srun": "slurm"}[own.started_by]
        raise UserError(
            f"trainer must be one for several processes, as {own.started_by} has started {own.count}: add "
            f"trainer={name}, or start one."
        )
    return {"devices": own.local_count, "num_nodes": own.machines} if several else {}


@contextmanager
def together(trainer: lightning.Trainer, data: Seq2SeqDataModule) -> Iterator[None]:
    """Train with all processes of a trainer: if one ends before the context does, so do the others, told in one line.

    Those of this machine are started here, unless they have been. Raises UserError where they do not read the same.
    """
    meeting, folder = current_meeting(), Path(trainer.default_root_dir)
    if meeting is not None:
        _agree(meeting, folder, data)
        yield
        meeting.guarded.done()
    elif trainer.world_size == 1:
        yield
    else:
        with _started(trainer.world_size) as meeting:
            meeting.tell("folder", str(folder.absolute()).encode())
            tell_of_tokenizers(folder)
            meeting.tell(WORD, str(_most_tokens(data)).encode())
            _agree(meeting, folder, data)
            yield


def check_memory_for_processes(trainer: lightning.Trainer) -> None:
    """Raise UserError where memory has no room for processes that are started here, each of which holds as much as this
    one does by now.
    """
    more, own, free = trainer.world_size - 1, held_bytes(), free_bytes(torch.device("cpu"))
    if current_meeting() is None and free is not None and more * own > free:
        raise UserError(
            f"trainer.devices must leave room for {more} more processes of {own / 1e6:,.0f} MB, but "
            f"{free / 1e6:,.0f} MB are free: at most trainer.devices={1 + free // own}."
        )


def tell_of_tokenizers(folder: Path) -> None:
    """Send the tokenizers of a run folder to the other processes, which may be on machines without that folder."""
    if (meeting := current_meeting()) is not None and not meeting.own.rank:
        meeting.tell("tokenizers", packed(folder / "tokenizers"))


def told_tokenizers(form: TextForm) -> Tokenizers:
    """The tokenizers of the first process."""
    meeting = current_meeting()
    assert meeting is not None
    with unpacked(meeting.hear("tokenizers")) as folder:
        return load(folder, form)


def _agree(meeting: Meeting, folder: Path, data: Seq2SeqDataModule) -> None:
    meeting.folder = folder
    if not meeting.own.rank:
        logger.info("%s", shares(meeting.own, data))
        meeting.guarded.tell(words={"folder": str(folder), "go_on": continuation(folder)})
    own = _digest(data)
    if meeting.agree("data", own) != own:
        raise UserError("data must be the same for all processes, but differ from those of rank 0: copy its files.")


def shares(own: Ranks, data: Seq2SeqDataModule) -> str:
    """The line on what batches.max_tokens, which counts over all processes, is for each."""
    whole = _most_tokens(data)
    machines = f" on {own.machines} machines" if own.machines > 1 else ""
    return (
        f"{own.count} processes{machines}: batches.max_tokens={whole} counts over all of them, about "
        f"{whole // own.count} for each"
    )


def _most_tokens(data: Seq2SeqDataModule) -> int:
    return data.budget.max_tokens if isinstance(data, TextDataModule) else data.train_plan.budget.max_tokens


def _digest(data: Seq2SeqDataModule) -> str:
    """A digest of all that batches are made of."""
    found = hashlib.sha1(usedforsecurity=False)
    for pairs in (data.train_pairs, data.dev_pairs):
        for side in (pairs.source, pairs.target):
            found.update(side.flat.numpy().tobytes())
            found.update(side.lengths.numpy().tobytes())
    return found.hexdigest()


@contextmanager
def _started(count: int) -> Iterator[Meeting]:
    """The meeting with processes that are started here, for as long as the context is open.

    Threads of all are those that the processors have room for, unless a number is asked for.
    """
    own, before, threads = Ranks(0, count, 0, count), dict(os.environ), torch.get_num_threads()
    os.environ |= {OWN: str(count), "LOCAL_RANK": "0", "MASTER_ADDR": _LOOPBACK, "MASTER_PORT": "0"}
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads_each(count))
        os.environ["OMP_NUM_THREADS"] = str(torch.get_num_threads())
    children: dict[int, subprocess.Popen[bytes]] = {}
    try:
        with met(own) as meeting:
            os.environ["MASTER_PORT"] = str(meeting.port)
            for rank in range(1, count):
                children[rank] = subprocess.Popen(_command(), env=os.environ | {"LOCAL_RANK": str(rank)})
            meeting.guarded.tell(children={str(rank): child.pid for rank, child in children.items()})
            yield meeting
        with suppress(subprocess.TimeoutExpired):  # they are through, too, and killed if they do not leave
            for child in children.values():
                child.wait(_END_SECONDS)
    finally:
        for child in children.values():
            child.kill()
            child.wait()
        os.environ.clear()
        os.environ.update(before)
        torch.set_num_threads(threads)


def _command() -> list[str]:
    """The command of a process like this one; of a job in a sweep, of that job alone."""
    return [sys.executable, str(SCRIPTS / f"{invocation().script}.py"), *given_overrides()]
