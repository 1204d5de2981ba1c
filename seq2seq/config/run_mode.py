"""Hydra's mode, plain or a sweep, known without that the config is composed once more to ask it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra._internal.hydra import Hydra

from seq2seq.config.options import mode_by_config


@contextmanager
def mode_known(arguments: Sequence[str]) -> Iterator[None]:
    """Answer Hydra's question for its mode by what checks of arguments have composed, for as long as this is open.

    Flags, which may name other folders of configs, and arguments for Hydra leave the question to Hydra.
    """
    if any(text.lstrip("+~").startswith(("-", "hydra")) for text in arguments):
        yield
        return
    asked = Hydra.get_mode

    def get_mode(self: Hydra, config_name: str | None, overrides: list[str]) -> Any:
        return mode_by_config()

    Hydra.get_mode = get_mode  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hydra.get_mode = asked  # type: ignore[method-assign]
