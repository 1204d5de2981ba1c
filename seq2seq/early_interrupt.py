"""Ctrl-C while a script loads what it needs, for seconds: where this is imported first, it ends without a word."""

import os
import signal
from contextlib import suppress
from types import FrameType

_CODE = 130  # as shells have it


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(_CODE)


def stop_leaving() -> None:
    """Have Ctrl-C raise KeyboardInterrupt again, once there is somebody to catch it."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody wants it otherwise
    with suppress(ValueError):  # of another thread than the main one
        signal.signal(signal.SIGINT, _leave)
