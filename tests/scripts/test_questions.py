"""What docs/questions.md says holds in what its commands measure, in a small form."""

import builtins
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forks
import pytest
import yaml
from hydra import compose, initialize_config_dir
from measured import Measured

from seq2seq.config.places import CONF

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"^    (python scripts/\w+\.py .*)$", re.MULTILINE)
SENTENCE = re.compile(r"[.?](?=\s)(?! \d)")
BUILTINS = {name: getattr(builtins, name) for name in ("abs", "all", "any", "len", "max", "min", "sum", "zip")}


@dataclass(frozen=True)
class Question:
    """A question of the page: its answer and whole text, its commands, what makes them small, and the claim."""

    heading: str
    answer: str
    text: str
    commands: tuple[str, ...]
    small: str
    holds: str

    @property
    def runs(self) -> set[str]:
        """The runs of the page that it needs."""
        return set(re.findall(r"runs/(\w+)", " ".join(self.commands))) & RUNS.keys()

    def made_small(self) -> list[str]:
        """Commands that a test can wait for."""
        return [f"{command} {self.small}".strip() for command in self.commands]

    def holds_in(self, printed: list[str]) -> bool:
        """Tell whether the claim holds in what the commands printed."""
        names = Measured([record_of(text) for text in printed]).names()
        return bool(eval(self.holds, {"__builtins__": BUILTINS, **names}))


def record_of(printed: str) -> dict[str, Any]:
    """What a command printed: an object, or a text."""
    return json.loads(printed) if printed.startswith("{") else {"text": printed}


def question(part: str) -> Question:
    heading, _, text = part.partition("\n")
    checked = yaml.safe_load(re.search(r"<!--\n(.*?)-->", text, re.DOTALL)[1])
    prose = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    answer = re.split(r"^    python", prose, maxsplit=1, flags=re.MULTILINE)[0]
    prose = " ".join(prose.split())  # a line may end within a label
    return Question(heading, answer, prose, tuple(COMMAND.findall(text)), checked.get("small", ""), checked["holds"])


HEAD, *PARTS = re.split(r"^### ", PAGE, flags=re.MULTILINE)
RUNS = {re.search(r"run_dir=runs/(\w+)", line)[1]: line for line in COMMAND.findall(HEAD)}
QUESTIONS = [question(part) for part in PARTS]
WITHOUT_RUNS = [one for one in QUESTIONS if not one.runs]
SOONEST = [one for one in WITHOUT_RUNS if "horizon.py task" not in one.commands[0]][:5]


def by_heading(questions: list[Question]) -> Callable:
    return pytest.mark.parametrize("asked", questions, ids=lambda asked: re.sub(r"\W+", "_", asked.heading)[:50])


class Laboratory:
    """A folder in which commands are run, each once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.printed: dict[str, str] = {}

    def run(self, command: str) -> str:
        """What a command prints."""
        done = forks.run(command.replace("python scripts", f"python {ROOT}/scripts"), self.folder)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        return done.stdout

    def ask(self, asked: Question) -> bool:
        """Tell whether what is said holds, with what has not been trained and measured yet."""
        for name in sorted(asked.runs):
            if not (self.folder / "runs" / name).exists():
                self.run(RUNS[name])
        for command in (commands := asked.made_small()):
            if command not in self.printed:
                self.printed[command] = self.run(command)
        return asked.holds_in([self.printed[command] for command in commands])


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory) -> Laboratory:
    return Laboratory(tmp_path_factory.mktemp("questions"))


def test_there_are_sixty_questions_and_each_has_its_parts():
    assert len(QUESTIONS) >= 60
    assert [int(one.heading.partition(".")[0]) for one in QUESTIONS] == list(range(1, len(QUESTIONS) + 1))
    for one in QUESTIONS:
        assert one.heading.endswith("?"), one.heading
        assert one.commands, one.heading
        assert len(SENTENCE.findall(one.answer)) in (3, 4), one.heading
        assert one.text.count("*Measured:*") == one.text.count("*Does not show:*") == 1, one.heading


@by_heading(QUESTIONS)
def test_commands_compose(asked):
    for command in asked.made_small():
        _, script, *overrides = shlex.split(command)
        assert (ROOT / script).is_file()
        with initialize_config_dir(str(CONF), version_base="1.3"):
            compose(Path(script).stem, overrides=overrides)


@pytest.mark.parametrize("name", RUNS)
def test_every_run_is_asked_something(name):
    assert any(name in one.runs for one in QUESTIONS)


@by_heading(SOONEST)
def test_what_is_said_holds(asked, laboratory):
    assert laboratory.ask(asked)


@pytest.mark.slow
def test_all_that_is_said_holds(laboratory):
    """In one test, so that its models are trained once, however many processes there are."""
    assert [asked.heading for asked in QUESTIONS if not laboratory.ask(asked)] == []
