"""Paths and checks that CONTRIBUTING.md and the hooks name are there."""

import re
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROWS = {line.split("|")[1].strip(): line for line in TEXT.splitlines() if line.startswith("| a")}
PATH = re.compile(r"`((?:seq2seq|conf|tests|scripts)/[\w/.]*)`")
# A name that is said to be in a file, by path or as "there", which is the file of the cell before.
NAMED = re.compile(r"`([A-Z]\w+)`(?: or `([A-Z]\w+)`)?(?: in `([\w/.]+)`(?:(?:, | and )`([\w/.]+)`)?| (there))")
CHECKS = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_there_is_a_row_for_every_kind_of_part():
    wanted = ["cell", "attention", "search", "ranking", "corpus", "tokenizer", "metric", "objective", "input"]
    assert {name.removeprefix("a ").removeprefix("an ") for name in ROWS} >= {*wanted, "callback", "command"}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_names_files_that_exist(row):
    paths = [path for path in PATH.findall(ROWS[row]) if "NAME" not in path]
    assert len(paths) >= 3
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_path_of_the_whole_text_is_there():
    paths = [path for path in PATH.findall(TEXT) if "NAME" not in path]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def named(row: str) -> list[tuple[str, str]]:
    """Names with the files that they are said to be in, the last file for the last name."""
    found, before = [], PATH.findall(row)[0]
    for first, second, path, other, there in NAMED.findall(row):
        files = [before] if there else [path, other or path]
        names = [first, second] if second else [first]
        found += [(name, files[min(place, len(files) - 1)]) for place, name in enumerate(names)]
        if not second and other:
            found.append((first, other))
    return found


def test_every_row_but_those_of_functions_and_of_other_libraries_names_a_class_or_table():
    assert {row for row, line in ROWS.items() if not named(line)} == {"a corpus", "a callback", "a command"}


@pytest.mark.parametrize(("name", "path"), [pair for line in ROWS.values() for pair in named(line)])
def test_names_are_where_it_says(name, path):
    text = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^(class )?{name}\b", text, re.MULTILINE)


def test_hooks_are_checks_of_ci():
    (local,) = OmegaConf.load(ROOT / ".pre-commit-config.yaml").repos
    assert len(local.hooks) >= 3
    assert [hook.entry for hook in local.hooks if hook.entry not in CHECKS] == []


def test_public_ci_runs_what_everybody_can_run():
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    steps = yaml.safe_load(text)["jobs"]["all"]["steps"]
    assert ".ci/run" in [step.get("run") for step in steps]
