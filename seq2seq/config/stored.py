"""The config of a run that is continued."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from seq2seq.config.command_line import CONF
from seq2seq.config.contract import plain
from seq2seq.config.moved import up_to_date
from seq2seq.errors import UserError


def continued(record: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """The plain config that was written when a run started, with overrides of single values on top.

    Raises UserError at an override that would replace a whole part.
    """
    stored: Any = OmegaConf.create(up_to_date(plain(OmegaConf.load(record))))
    OmegaConf.set_struct(stored, True)
    for override in overrides:
        key, _, value = override.partition("=")
        if key in ("run_dir", "resume"):
            continue
        name = key.lstrip("+~")
        if (CONF / name).is_dir() or OmegaConf.is_dict(OmegaConf.select(stored, name)):
            raise UserError(f"resume=true continues the run as it was: {override} would replace a whole part of it.")
        stored = OmegaConf.merge(stored, OmegaConf.from_dotlist([f"{key}={value}"]))
    return plain(stored)
