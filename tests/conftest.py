"""What tests share, loaded where tests run: the process that hands them to others is there at once without it."""

import signal
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

_SHARED = ("tiny_models", "tiny_run", "composing")
_FIRST = "tests/scripts"  # it takes longest, and its files share a process that has imported what they need


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background, where runs would ignore what tests send
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hands_out = config.getoption("numprocesses") and not config.getoption("collectonly")
    for name in () if hands_out else _SHARED:
        config.pluginmanager.import_plugin(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(_FIRST))


class ByFile(LoadFileScheduling):
    """Files to processes, the scripts' files to the same."""

    def _split_scope(self, nodeid: str) -> str:
        return _FIRST if nodeid.startswith(_FIRST) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)
