"""The help of a script: what its conf/ file says of it, its groups, and every option with its comment."""

import json
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from seq2seq.config.options import choices, defaults
from seq2seq.config.overrides import command
from seq2seq.config.places import CONF, INSTALLED

_COLUMN = 44  # where comments begin


def help_text(script: str) -> str:
    """The help of a script: what it does, with examples; its groups; its options as they are."""
    header = (CONF / f"{script}.yaml").read_text(encoding="utf-8").splitlines()
    said = [line.removeprefix("#").removeprefix(" ") for line in takewhile(lambda line: line.startswith("#"), header)]
    if INSTALLED:  # as a command
        said = [re.sub(r"python scripts/(\w+)\.py", r"seq2seq \1", line) for line in said]
    usage = f"{command(f'scripts/{script}.py', [])} [key=value or group=option ...]"
    flags = "--multirun tries lists: seed=1,2; --cfg job prints the options as YAML; --version"
    groups = ["groups and options  [the one that is chosen]", *_groups()]
    options = ["options, as they are, and what they are for", *_options(script)]
    return "\n".join([*said, "", usage, flags, "", *groups, "", *options])


def comments(path: Path) -> dict[str, str]:
    """The comments behind the keys of a file of conf/, by dotted key."""
    found: dict[str, str] = {}
    parents: list[tuple[int, str]] = []
    last = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if entry := re.match(r"( *)(\w+):(?:\s[^#]*)?(?:# (.*))?$", line):
            indent, key, comment = len(entry[1]), entry[2], entry[3]
            parents = [parent for parent in parents if parent[0] < indent] + [(indent, key)]
            last = ".".join(name for _, name in parents)
            if comment:
                found[last] = comment
        elif (more := re.match(r" {20,}# (.*)$", line)) and last in found:
            found[last] += f" {more[1]}"
    return found


def _groups() -> Iterator[str]:
    for group, chosen in choices().items():
        options = ", ".join(sorted(path.stem for path in (CONF / group).glob("*.yaml")))
        yield f"  {group}: {options}  [{chosen}]"


def _options(script: str) -> Iterator[str]:
    said = _comments_of(script)
    for key, value in defaults().items():
        if isinstance(value, dict) or key.rpartition(".")[2].startswith("_"):
            continue
        shown = value if isinstance(value, str) else json.dumps(value, allow_nan=False)
        comment = said.get(key, "")
        yield f"  {f'{key}={shown}':<{_COLUMN}} {'# ' if comment else ''}{comment}".rstrip()


def _comments_of(script: str) -> dict[str, Any]:
    """Comments by key, of the script's own file and of the options that are chosen: another one's may not hold."""
    said: dict[str, str] = {}
    for name in ("train", script) if "experiment" in choices() else (script,):
        said |= comments(CONF / f"{name}.yaml")
    for group, chosen in choices().items():
        for path in _files(group, chosen):
            package = re.match(r"# @package (\S+)", path.read_text(encoding="utf-8"))
            place = package[1].replace("_global_", "") if package else group.replace("/", ".")
            prefix = f"{place}." if place else ""
            said |= {f"{prefix}{key}": comment for key, comment in comments(path).items()}
    return said


def _files(group: str, option: str) -> Iterator[Path]:
    """The files that an option is made of: those of its group that it builds upon, then its own."""
    path = CONF / group / f"{option}.yaml"
    if not path.is_file():
        return
    listed: Any = OmegaConf.load(path)
    for entry in listed.get("defaults", []) if isinstance(listed, DictConfig) else []:
        if isinstance(entry, str) and entry != "_self_":
            yield from _files(group, entry)
    yield path
