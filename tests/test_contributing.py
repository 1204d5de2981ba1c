"""Paths and checks that CONTRIBUTING.md and the hooks name are there."""

import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROWS = {line.split("|")[1].strip(): line for line in TEXT.splitlines() if line.startswith("| a")}
PATH = re.compile(r"`((?:seq2seq|conf|tests|scripts)/[\w/.]*)`")
NAMED = re.compile(r"`(\w+)`(?: or `(\w+)`)* in `([\w/.]+)`")
CHECKS = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_there_is_a_row_for_every_kind_of_part():
    wanted = ["cell", "attention", "search", "ranking", "corpus", "tokenizer", "metric", "objective", "input"]
    assert {name.removeprefix("a ").removeprefix("an ") for name in ROWS} >= {*wanted, "callback", "command"}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_names_files_that_exist(row):
    paths = [path for path in PATH.findall(ROWS[row]) if "NAME" not in path]
    assert len(paths) >= 3
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("row", ROWS)
def test_a_row_names_bases_and_tables_that_are_where_it_says(row):
    for name, other, path in NAMED.findall(ROWS[row]):
        text = (ROOT / path).read_text(encoding="utf-8")
        others = [match for match in (name, other) if match and match[0].isupper()]
        assert any(re.search(rf"^(class )?{word}\b", text, re.MULTILINE) for word in others)


def test_hooks_are_checks_of_ci():
    (local,) = OmegaConf.load(ROOT / ".pre-commit-config.yaml").repos
    assert len(local.hooks) >= 3
    assert [hook.entry for hook in local.hooks if hook.entry not in CHECKS] == []


def test_public_ci_runs_what_everybody_can_run():
    workflow = OmegaConf.load(ROOT / ".github" / "workflows" / "ci.yml")
    assert ".ci/run" in [step.get("run") for step in workflow.jobs.all.steps]
