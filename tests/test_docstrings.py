"""Prose: a docstring says what comes back, and begins with the thing itself."""

import ast
import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from seq2seq.decoding.search.search import Search
from seq2seq.layers.attention.attention import Attention
from seq2seq.layers.recurrent.cells.cell import Cell

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for path in (ROOT / "seq2seq").rglob("*.py") if path.name != "__init__.py")

# Words that a sentence begins with when it leaves out its subject: the reader cannot tell a value from an action.
NEITHER_VERB_NOR_NOUN = (
    "what whether which who whose where when how why that this these those it its they their "
    "one ones each every all both any some several no none nothing everything anything many few more most half such "
    "of from by with without as at for in on to per after before behind if so than like only never always also raises"
)
PARAMETER_LIST = re.compile(r"^\s*(Args|Arguments|Parameters|Returns|Raises|:param\b.*):?\s*$", re.MULTILINE)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path) -> ModuleType:
    return importlib.import_module(relative(path).removesuffix(".py").replace("/", "."))


def docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Every docstring of a file, with the name of what it is of."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and (text := ast.get_docstring(node)):
            yield getattr(node, "name", "the module"), text


def mistakes(text: str) -> Iterator[str]:
    """What is wrong with a docstring."""
    first = re.match(r"[`*]*([\w'-]*)", text)[1]
    if not first[:1].isupper():
        yield "begins with no word of a sentence"
    if first.lower() in NEITHER_VERB_NOR_NOUN.split():
        yield f"begins with {first!r}, which is neither verb nor noun"
    if PARAMETER_LIST.search(text):
        yield "lists parameters"


def test_a_docstring_begins_with_a_verb_or_a_noun_and_lists_no_parameters():
    told = [(f"{relative(path)}: {name}", list(mistakes(text))) for path in MODULES for name, text in docstrings(path)]
    assert len(told) > 2000
    assert {name: found for name, found in told if found} == {}


@pytest.mark.parametrize(
    "text", ["What it was.", "Of the rows.", "score = q k", "Sum.\n\nArgs:\n    a: b", "Whether so."]
)
def test_bad_prose_is_found(text):
    assert list(mistakes(text))


def silent(path: Path) -> Iterator[str]:
    """Public classes, functions and methods that no docstring tells of, their own or that of what they override."""
    module = imported(path)
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value):
            yield from (f"{name}.{own}" for own in methods(value) if not inspect.getdoc(getattr(value, own)))
        if (inspect.isclass(value) or inspect.isfunction(value)) and not inspect.getdoc(value):
            yield name


def test_every_public_class_function_and_method_has_a_docstring():
    assert {relative(path): names for path in MODULES if (names := list(silent(path)))} == {}


def methods(kind: type) -> Iterator[str]:
    """Names of the public functions and properties that a class defines."""
    for name, value in vars(kind).items():
        if not name.startswith("_") and isinstance(value, property | classmethod | staticmethod | type(methods)):
            yield name


def kinds(interface: type) -> list[type]:
    """Concrete classes of an interface that the package defines."""
    for path in MODULES:
        imported(path)
    found, waiting = [], [interface]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if not inspect.isabstract(kind) and kind.__module__.startswith("seq2seq."):
            found.append(kind)
    return sorted(found, key=lambda kind: kind.__name__)


@pytest.mark.parametrize(
    "kind",
    [kind for interface in (Attention, Cell, Search) for kind in kinds(interface)],
    ids=lambda kind: kind.__name__,
)
def test_an_example_of_a_few_lines_runs(kind):
    parser = doctest.DocTestParser()
    example = parser.get_doctest(inspect.getdoc(kind) or "", {}, kind.__name__, None, 0)
    assert 3 <= len(example.examples) <= 7
    assert any(line.want for line in example.examples)
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(example)
    assert runner.failures == 0
