"""Configs of scripts that a job sets side by side: those of choices, and of values along an option."""

from collections.abc import Sequence
from typing import Any

from hydra import compose

from seq2seq.config.arguments import readable_arguments
from seq2seq.config.contract import resolve
from seq2seq.config.invocation import supposed
from seq2seq.config.mistakes import in_one_line


def composed(script: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The plain config that a script would run with under other overrides, from within a Hydra job.

    They are read as on that script's command line. Raises UserError, in the words of that one, at a mistake.
    """
    with supposed(script, overrides), in_one_line():
        readable = readable_arguments(overrides, repeated=True)
        return resolve(compose(script, readable), readable)
