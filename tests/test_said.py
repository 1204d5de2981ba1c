"""What is logged names options as they can be typed."""

import ast
import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import seq2seq
from seq2seq.config.options import flat
from seq2seq.config.places import CONF

FOLDER = Path(seq2seq.__file__).parent
LOGGED = ("logger.warning", "logger.info", "_say")


def texts(path: Path) -> list[str]:
    """Literal texts in what a file logs."""
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    logged = [call for call in calls if ast.unparse(call.func) in LOGGED]
    parts = [part for call in logged for argument in call.args for part in ast.walk(argument)]
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def named(path: Path) -> set[str]:
    """Dotted words, and words before `=`, in what a file logs."""
    found = {key for text in texts(path) for key in re.findall(r"(?<![/\w])([a-z_]+(?:\.[a-z_]+)+|[a-z_]+(?==))", text)}
    return found - {"config.yaml", "units.html"}


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Keys of every file in conf/, behind their group."""
    keys = set()
    for path in CONF.rglob("*.yaml"):
        node = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        group = ".".join(path.relative_to(CONF).parent.parts)
        at_top = "@package _global_" in path.read_text("utf-8") or not group
        keys |= {key if at_top else f"{group}.{key}" for key in flat(node)}
    return keys


def test_logged_options_exist(known):
    named_anywhere = {key: path for path in FOLDER.rglob("*.py") for key in named(path)}
    assert {key: path.name for key, path in named_anywhere.items() if key not in known | {"data.changed"}} == {}
    assert len(named_anywhere) > 4
