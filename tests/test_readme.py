"""What README says of the house is so: listed options, the tree, the table of scripts, what is pinned."""

import re
import tomllib
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ONES = (
    *("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def in_words(count: int) -> str:
    """A count from 1 to 99 in words."""
    if count < len(ONES):
        return ONES[count]
    return "-".join(filter(None, [TENS[count // 10 - 2], ONES[count % 10]]))


def options(group: str) -> set[str]:
    return {path.stem for path in (ROOT / "conf" / "model" / group).glob("*.yaml")} - {"none"}


def test_cells_and_attentions_are_counted():
    counted = re.search(r"([\w-]+) recurrent cells, ([\w-]+) attentions, .*; ([\w-]+) cells for gaps", README)
    assert [number.lower() for number in counted.groups()] == [
        in_words(len(options(group))) for group in ("cell", "attention", "gap_cell")
    ]


@pytest.mark.parametrize(
    ("count", "words"), [(1, "one"), (10, "ten"), (13, "thirteen"), (20, "twenty"), (25, "twenty-five"), (90, "ninety")]
)
def test_counts_in_words(count, words):
    assert in_words(count) == words


def test_listed_options_compose():
    listed = re.search(r"Useful overrides: (.*?)\n\n", README, flags=re.DOTALL)[1]
    for override in re.findall(r"`([^`]+)`", listed):
        key, _, values = override.removeprefix("--multirun ").partition("=")
        for value in re.split(r"[|,]", values):
            with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
                compose("train", overrides=[f"{key}={value}"])


def test_tree_names_what_exists():
    tree = README.split("## How it is built")[1]
    packages = re.findall(r"^      (\w+)/", tree, flags=re.MULTILINE)
    assert sorted(packages) == sorted(p.name for p in (ROOT / "seq2seq").iterdir() if (p / "__init__.py").exists())
    named = re.search(r"scripts/ +([a-z_ \n]+)\n    examples/", tree)[1].split()
    assert sorted(named) == sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))


def test_every_script_is_in_the_readme_s_table_and_on_the_page_of_commands():
    table = README.split("## Commands")[1].split("\n\n")[1]
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    scripts = {path.name for path in (ROOT / "scripts").glob("*.py")}
    assert set(re.findall(r"`(\w+\.py)`", table)) == scripts
    assert set(re.findall(r"scripts/(\w+\.py)", page)) == scripts


def test_constraints_pin_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    names = {re.match(r"[\w-]+", requirement)[0].lower().replace("_", "-") for requirement in wanted}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    assert names <= pinned


def test_every_option_of_a_group_is_on_the_page():
    page = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w/]+)=` \| (.*)$", page, re.MULTILINE))
    groups = {group for group in rows if (ROOT / "conf" / group).is_dir()}
    parts = ("cell", "gap_cell", "attention", "output", "front_end", "ngrams", "copying", "waiting")
    assert groups >= {"model", "decoding", "logger", *(f"model/{part}" for part in parts)}
    for group in groups:
        names = {path.stem for path in (ROOT / "conf" / group).glob("*.yaml")}
        assert names <= set(re.findall(r"`([^`]+)`", rows[group])) | {"auto"}, group
