"""Locks that a process which is forked finds open."""

import os
from threading import RLock, local
from types import TracebackType
from weakref import WeakSet


class Lock:
    """A lock of a thread, which may take it again. A forked process has it anew: who held it is not there.

    A plain one would be closed there for ever, where another thread held it at that moment.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._own = local()  # what this thread has taken, which a process that it forks gives back as it ends
        _all.add(self)

    def __enter__(self) -> None:
        taken = self._lock
        taken.acquire()
        vars(self._own).setdefault("taken", []).append(taken)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._own.taken.pop().release()

    def __reduce__(self) -> tuple[type["Lock"], tuple[()]]:
        """A copy is a lock of its own."""
        return Lock, ()

    def renew(self) -> None:
        """Open the lock, whoever holds it."""
        self._lock = RLock()


_all: WeakSet[Lock] = WeakSet()


def _renew_all() -> None:
    for lock in _all:
        lock.renew()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_all)
