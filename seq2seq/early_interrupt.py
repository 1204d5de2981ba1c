"""Ctrl-C while a script loads what it needs, for seconds: where this is imported first, it ends without a word."""

import signal
from contextlib import suppress

_given_up = False  # whether Python's own handler was, until somebody catches what it raises


def catch_interrupts() -> None:
    """Have Ctrl-C raise KeyboardInterrupt again, once there is somebody to catch it."""
    if _given_up and signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody wants it otherwise
    with suppress(ValueError):  # of another thread than the main one
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the shell is told, so that a loop of commands ends, too
        _given_up = True
