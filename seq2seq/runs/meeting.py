"""The meeting of the processes of a run: what the first one tells, the others hear; and they end together."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from seq2seq.ranks import Ranks, ranks

WAIT_SECONDS = 300  # for all processes to come
_PART_SECONDS = 20  # of a wait for words of the first process, whose guard knows how it is
_PORTS = 15000  # and the last digits of a job's number: of SLURM, which names no port

_open: list["Meeting"] = []


class Meeting:
    """A meeting of all processes, at the address that `MASTER_ADDR` and `MASTER_PORT` name."""

    def __init__(self, own: Ranks) -> None:
        from torch.distributed import PrefixStore, TCPStore

        from seq2seq.runs.guarded import Guarded

        self.own = own
        self.folder: Path | None = None
        self.at_stop: Callable[[], None] = _nothing
        wait = timedelta(seconds=WAIT_SECONDS)
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        # torchrun has a store of its own there; else this one, which torch will join.
        hosts = own.rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
        self._store = TCPStore(address, port, own.count, hosts, timeout=wait, wait_for_workers=False, multi_tenant=True)
        self.port = self._store.port
        self._words = PrefixStore("seq2seq", self._store)
        port = int(self._words.get("guard")) if own.rank else 0
        self.guarded = Guarded(own, address, port, wait=WAIT_SECONDS, at_stop=lambda: self.at_stop())
        if own.rank == 0:
            self._words.set("guard", str(self.guarded.port))

    def tell(self, name: str, value: bytes) -> None:
        """Tell the other processes something, each name once."""
        self._words.set(name, value)  # type: ignore[arg-type]  # bytes are as good

    def hear(self, name: str) -> bytes:
        """The word of the first process under a name, however long it takes; if it ends, this process does."""
        while True:
            try:
                self._words.wait([name], timedelta(seconds=_PART_SECONDS))
            except RuntimeError as error:
                if "imeout" not in str(error) and "imed out" not in str(error):
                    raise
            else:
                return self._words.get(name)

    def agree(self, name: str, value: str) -> str:
        """The value of the first process, in all of them."""
        if self.own.rank:
            return self.hear(name).decode()
        self.tell(name, value.encode())
        return value


def current_meeting() -> Meeting | None:
    """The meeting of this process with others; None where it is alone, or has not started others yet."""
    return _open[-1] if _open else None


@contextmanager
def met(own: Ranks) -> Iterator[Meeting]:
    """Meet for as long as the context is open: what ends one process in it ends all of them, told in one line."""
    meeting = Meeting(own)
    _open.append(meeting)
    try:
        yield meeting
        meeting.guarded.done()
    except BaseException as error:
        meeting.guarded.fail(error, meeting.folder)
        raise
    finally:
        _open.remove(meeting)


@contextmanager
def met_if_several() -> Iterator[None]:
    """Meet if other processes were started with this one; the first one's words are then those of all."""
    own = ranks()
    if own.count == 1:
        yield
        return
    if own.rank:
        be_silent()
    if own.started_by == "srun":
        _find_address()
    with met(own):
        yield


def be_silent() -> None:
    """Leave what there is to say to the first process."""
    for name in ("seq2seq", "pytorch_lightning", "lightning_fabric", "lightning", "torch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")


def _find_address() -> None:
    """Set the address of the first process as Lightning finds it in what SLURM says."""
    from lightning_fabric.plugins.environments import SLURMEnvironment

    nodes = os.environ.get("SLURM_STEP_NODELIST") or os.environ.get("SLURM_NODELIST", "127.0.0.1")
    os.environ.setdefault("MASTER_ADDR", SLURMEnvironment.resolve_root_node_address(nodes))
    job = os.environ.get("SLURM_JOB_ID", "")
    os.environ.setdefault("MASTER_PORT", str(_PORTS + int(job[-4:] or 0)))


def _nothing() -> None:
    """Do nothing."""
