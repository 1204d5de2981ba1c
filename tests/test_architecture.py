import ast
import os
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "seq2seq").rglob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "tools"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter at the root, without this one's imports or flags."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)


@cache
def parts(path: Path) -> list[ast.AST]:
    """All parts of a module's syntax tree."""
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.fixture(scope="module", autouse=True)
def _no_trees_left_behind() -> Iterator[None]:
    yield
    parts.cache_clear()


def nodes(path: Path, *kinds: type[ast.AST]) -> Iterator[Any]:
    """Parts of some kinds."""
    return (node for node in parts(path) if isinstance(node, kinds))


def found(look: Callable[[Path], Iterable[Any]], paths: Iterable[Path] = MODULES) -> dict[str, list[Any]]:
    """What is found in each of the files, where there is something: a test for every file would take seconds."""
    return {relative(path): there for path in paths if (there := list(look(path)))}


def constructors(path: Path) -> Iterator[tuple[str, int]]:
    """Classes, and how many parameters their constructors have beside self."""
    for kind in nodes(path, ast.ClassDef):
        for node in kind.body:
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                yield kind.name, len(node.args.args) + len(node.args.kwonlyargs) - 1


def test_floors_import_only_lower_floors_and_libraries_stay_where_they_belong():
    wanted = len(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"])
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    result = python(code)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"Contracts: {wanted} kept, 0 broken" in result.stdout
    assert wanted >= 5


def test_nothing_has_a_name_that_says_nothing():
    places = [
        path for top in ("seq2seq", "conf", "scripts", "tests") for path in [ROOT / top, *(ROOT / top).rglob("*")]
    ]
    assert len(places) > 100
    assert [relative(path) for path in places if path.stem.lower().removeprefix("test_") in VAGUE] == []


def lengths(path: Path) -> Iterator[tuple[str, int]]:
    """Names of a module and its functions, with their lines."""
    yield "module", len(path.read_text(encoding="utf-8").splitlines())
    yield from ((node.name, node.end_lineno - node.lineno + 1) for node in nodes(path, ast.FunctionDef))


def test_no_module_is_over_250_lines_and_no_function_over_35():
    def long(path: Path) -> Iterator[tuple[str, int]]:
        return ((name, length) for name, length in lengths(path) if length > (250 if name == "module" else 35))

    assert len(MODULES) > 400
    assert found(long) == {}


def test_no_constructor_has_over_8_parameters():
    """What many classes share is one options value. The translator, which joins all that decodes, has ten."""

    def wide(path: Path) -> Iterator[tuple[str, int]]:
        return ((name, count) for name, count in constructors(path) if count > 8 and name != "Translator")

    assert found(wide) == {}


def test_no_two_classes_share_a_name():
    """One word, one meaning: whoever reads `Memory` in a signature need not look where it comes from."""
    places = defaultdict(list)
    for path in MODULES:
        for kind in nodes(path, ast.ClassDef):
            places[kind.name.lstrip("_")].append(relative(path))
    assert len(places) > 300
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_decoding_names_its_types():
    """A search knows no model, but it knows that a step takes the states that another gave: type parameters say so."""
    paths = [path for path in MODULES if "decoding" in path.parts]
    assert len(paths) > 15
    assert found(lambda path: (node.lineno for node in nodes(path, ast.Name) if node.id == "Any"), paths) == {}


def options_of(config: str) -> list[str]:
    """Top-level keys of a config in conf/."""
    return re.findall(r"^(\w+):", (ROOT / "conf" / config).read_text(encoding="utf-8"), re.MULTILINE)


EDGE = ("commands", "config", "runs")
NODES = {path.stem for path in (ROOT / "conf").iterdir()} | set(options_of("train.yaml"))
CONFIG_PATH = re.compile(rf"(?<![\w./])({'|'.join(sorted(NODES))})[./]([a-z_]|\{{\}})")


def texts(call: ast.Call) -> str:
    """The words of a call's arguments; {} stands for what is put between them."""
    return "".join(
        part.value if isinstance(part, ast.Constant) else "{}"
        for part in ast.walk(call)
        if isinstance(part, ast.FormattedValue) or (isinstance(part, ast.Constant) and isinstance(part.value, str))
    )


def errors(path: Path) -> Iterator[str]:
    """Messages of the errors that a module raises."""
    for node in nodes(path, ast.Call):
        if getattr(node.func, "id", "") == "UserError":
            yield texts(node)


def test_an_error_names_a_parameter_and_no_config_path():
    """The edge, where nodes are built, puts the path before it."""
    paths = [path for path in MODULES if path.relative_to(ROOT).parts[1] not in EDGE]
    assert sum(len(list(errors(path))) for path in paths) > 200
    assert found(lambda path: filter(CONFIG_PATH.search, errors(path)), paths) == {}


@pytest.mark.parametrize(
    "message",
    [
        'f"model.attention.window must be at least 1, but is {window}."',
        'f"Take another cell" f"or model/cell=lstm."',
        'f"Choose trainer.{name}"',
    ],
)
def test_a_config_path_in_an_error_is_found(message):
    (call,) = ast.parse(f"UserError({message})").body
    assert CONFIG_PATH.search(texts(call.value))


def test_a_file_in_an_error_is_no_config_path():
    assert not CONFIG_PATH.search("run=DIR holds no checkpoint: there is no checkpoints/best.ckpt in it.")


@pytest.mark.parametrize("path", SCRIPTS, ids=relative)
def test_a_script_parses_calls_and_prints_in_25_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 25
    assert (ROOT / "conf" / f"{path.stem}.yaml").is_file()


@pytest.mark.parametrize("path", SCRIPTS, ids=relative)
def test_no_script_shadows_the_standard_library(path):
    """A script's folder comes first on sys.path."""
    assert path.stem not in sys.stdlib_module_names


LIGHT = "pytorch_lightning datasets torchmetrics matplotlib sentencepiece"
# In the order of their weight, as one interpreter imports them in turn.
ABSENT = {
    "config.command_line": f"torch {LIGHT}",
    "runs.run_folder": f"torch {LIGHT}",
    "data.corpora.hub": f"torch {LIGHT} pandas pyarrow",
    "commands.translate": "pytorch_lightning lightning datasets torchmetrics matplotlib pandas tensorboard",
    "library.run": "pytorch_lightning lightning datasets torchmetrics matplotlib pandas tensorboard captum",
    "commands.interpret": "pytorch_lightning lightning datasets torchmetrics captum",
}


def test_importing_a_module_leaves_what_it_does_not_need_unimported():
    code = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    print(*sys.modules)
"""
    result = python(code, *(f"seq2seq.{module}" for module in ABSENT))
    assert result.returncode == 0, result.stderr
    for (module, absent), line in zip(ABSENT.items(), result.stdout.splitlines(), strict=True):
        imported = set(line.split())
        assert f"seq2seq.{module}" in imported
        assert imported & set(absent.split()) == set(), module
