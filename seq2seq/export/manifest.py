"""The manifest of an export: its files, the tensors of its graphs, and the run that it was made of."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from seq2seq.errors import UserError
from seq2seq.finite import strict_json

FILE = "export.json"
FORMAT = 1  # raised whenever what is written changes
OPSET = 20
_SCHEMA = {
    "opset": int,
    "graphs": dict,
    "tokenizers": dict,
    "memory": list,
    "states": list,
    "symbols": dict,
    "limits": dict,
    "model": dict,
    "weights": str,
    "run": dict,
    "digests": dict,
}
_OF_TEXTS = ("graphs", "memory", "states", "digests", "tokenizers")
_OF_RUN = {"config": dict, "step": int, "splits": dict, "signals": dict}


def is_export(path: str | Path) -> bool:
    """Tell whether a path is a folder that `export` wrote."""
    return (Path(path) / FILE).is_file()


def digest(data: bytes) -> str:
    """A digest of bytes, as a text."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def digest_of_weights(model: torch.nn.Module) -> str:
    """A digest of all that a model has learnt."""
    found = hashlib.blake2b(digest_size=16)
    for name, tensor in model.state_dict().items():
        found.update(f"{name} {list(tensor.shape)}\n".encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def sealed(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """The manifest as JSON, with a digest of every file and one of itself."""
    contents = {"format": FORMAT, **manifest, "digests": {name: digest(data) for name, data in files.items()}}
    return (strict_json({**contents, "seal": _seal(contents)}, indent=1, ensure_ascii=False) + "\n").encode()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder. Raises UserError if it is none, of another format or opset, or was changed."""
    path = folder / FILE
    try:
        contents = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"run={folder} cannot be read: {error.strerror}: {path}.") from None
    except ValueError:
        raise UserError(f"{path} is damaged: it is no JSON. Export the run again.") from None
    if not isinstance(contents, dict) or type(contents.get("format")) is not int:
        raise UserError(f"{path} is no export of seq2seq: write one by scripts/export.py.")
    for name, known in (("format", FORMAT), ("opset", OPSET)):
        if contents.get(name) != known:
            raise UserError(
                f"{path} is of {name} {contents.get(name)}, but this version reads {known}: export the run again."
            )
    _check(path, contents)
    return contents


def read_files(folder: Path, contents: Mapping[str, Any], names: Iterable[str]) -> dict[str, bytes]:
    """Files of a folder, by name. Raises UserError at one that is missing, or is not what was written."""
    found = {}
    for name in names:
        try:
            found[name] = (folder / name).read_bytes()
        except OSError:
            raise UserError(f"run={folder} is damaged: {name} is missing. Export the run again.") from None
        if contents["digests"].get(name) != digest(found[name]):
            raise UserError(f"run={folder} is damaged: {name} is not what was written. Export the run again.")
    return found


def _check(path: Path, contents: dict[str, Any]) -> None:
    """Raise UserError at a manifest that is not what was written."""
    told = {name: value for name, value in contents.items() if name != "seal"}
    whole = contents.get("seal") == _seal(told)
    parts = [(contents, _SCHEMA), (contents.get("run"), _OF_RUN)]
    typed = all(
        isinstance(part, dict) and all(type(part.get(name)) is kind for name, kind in schema.items())
        for part, schema in parts
    )
    if not (whole and typed and all(_is_of_texts(contents[name]) for name in _OF_TEXTS)):
        raise UserError(f"{path} is damaged, or was changed since it was written: export the run again.")


def _is_of_texts(part: dict[str, Any] | list[Any]) -> bool:
    return all(isinstance(text, str) for text in (part.values() if isinstance(part, dict) else part))


def _seal(contents: Mapping[str, Any]) -> str:
    return digest(strict_json(contents, sort_keys=True, ensure_ascii=True).encode())
