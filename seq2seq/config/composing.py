"""Hydra's state, of which a process has one, set to conf/ for a moment."""

from collections.abc import Iterator
from contextlib import contextmanager

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from seq2seq.config.places import CONF
from seq2seq.locks import Lock

_lock = Lock()


@contextmanager
def composing() -> Iterator[None]:
    """Let Hydra compose what is in conf/, in one thread at a time; what it was set to before comes back."""
    with _lock:
        before = GlobalHydra.instance().hydra
        GlobalHydra.instance().clear()
        try:
            with initialize_config_dir(str(CONF), version_base="1.3"):
                yield
        finally:
            GlobalHydra.instance().hydra = before
