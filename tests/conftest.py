"""What tests share, loaded where tests run: the process that hands them to others is there at once without it."""

import pytest

_SHARED = ("tiny_models", "tiny_run", "composing")


def pytest_configure(config: pytest.Config) -> None:
    hands_out = config.getoption("numprocesses") and not config.getoption("collectonly")
    for name in () if hands_out else _SHARED:
        config.pluginmanager.import_plugin(name)
