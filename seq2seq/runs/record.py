"""Records of what commands have told of a run in files of JSON beside its checkpoints."""

import json
from pathlib import Path
from typing import Any

from seq2seq.errors import UserError


def read_record(path: Path, **needed: type | tuple[type, ...]) -> dict[str, Any]:
    """The record of a file, whose needed entries are of their types.

    Raises UserError at anything else: people can edit the file.
    """
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise UserError(f"{path} is damaged: it is no JSON. Remove it, or write it anew by what wrote it.") from None
    if not isinstance(found, dict):
        raise UserError(f"{path} is damaged: it must hold one object, but holds a {type(found).__name__}.")
    for name, kind in needed.items():
        if not isinstance(found.get(name), kind):
            raise UserError(f"{path} is damaged: it has no {name} of the right kind. It was written by training.")
    return found
