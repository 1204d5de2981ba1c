"""Write an export: a folder that is whole, or not there."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from seq2seq.export import manifest
from seq2seq.whole_file import write_whole
from seq2seq.whole_folder import whole_folder

_EXAMPLE, _README = "example.py", "README.md"
_USE = """\
    pip install numpy onnxruntime sentencepiece
    python example.py < in > out

It answers line by line, greedily.
"""


def write_export(folder: Path, contents: Mapping[str, Any], data: Mapping[str, bytes], told: Mapping[str, str]) -> None:
    """Write files by name, what they are, a README that tells it to a reader, and an example where one can be had.

    The folder gets its name once all in it is on disk.
    """
    facts = contents["model"]
    plain = not (facts["edits"] or facts["copies"])  # else ids are not pieces of a text alone
    written = {**data, _README: _page(_README, {**told, "use": _USE if plain else ""})}
    if plain:
        written[_EXAMPLE] = _page(_EXAMPLE, {})
    with whole_folder(folder, last=manifest.FILE) as half:
        for name, content in written.items():
            write_whole(half / name, content)
        write_whole(half / manifest.FILE, manifest.sealed(contents, written))


def _page(name: str, told: Mapping[str, str]) -> bytes:
    text = (files("seq2seq.export") / "contents" / name).read_text(encoding="utf-8")
    return (Template(text).substitute(told) if told else text).encode()
