"""Processes that end with the one that started them, even where that is killed."""

import os
import signal
import threading
import time
from collections.abc import Mapping

_STARTER = "SEQ2SEQ_STARTED_BY"
_SECONDS = 2.0  # between two looks


def attended() -> Mapping[str, str]:
    """The environment variable by which a process that is started knows whom to end with."""
    return {_STARTER: str(os.getpid())}


def end_with_starter() -> None:
    """End this process when the one that started it is gone, if that asked for it."""
    starter = os.environ.pop(_STARTER, None)
    if starter is not None:
        threading.Thread(target=_watch, args=(int(starter),), daemon=True).start()


def _watch(starter: int) -> None:
    while os.getppid() == starter:  # an orphan has another parent
        time.sleep(_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
