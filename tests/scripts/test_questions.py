"""What docs/questions.md says holds in what its commands measure, in a small form."""

import builtins
import json
import os
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forks
import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir
from matplotlib.image import imread
from measured import Measured

from seq2seq.config.places import CONF

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGE = (DOCS / "questions.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"^    (python scripts/\w+\.py .*)$", re.MULTILINE)
SENTENCE = re.compile(r"[.?](?=\s)(?! \d)")
PICTURE = re.compile(r"!\[([^]]+)\]\((questions/[^)]+)\)")
SEEDS = (1, 2, 3)
EVERY_SEED = "SEQ2SEQ_EVERY_SEED" in os.environ  # which all that is said is then tried with
LARGEST = 60_000  # bytes of a picture
QUICK = (4, 17, 21, 41, 57, 68)  # of unlike commands; what these say is so after the first steps already
FIRST_STEPS = "budget.max_steps=30 trainer.val_check_interval=30"
BUILTINS = {name: getattr(builtins, name) for name in ("abs", "all", "any", "len", "max", "min", "sum", "zip")}


@dataclass(frozen=True)
class Question:
    """A question of the page: its answer and whole text, its commands, what makes them small, and the claim.

    The claim is tried with `seeds` each time. `picture` is the file that a command writes, where the page shows it.
    """

    heading: str
    answer: str
    text: str
    commands: tuple[str, ...]
    small: str
    holds: str
    seeds: tuple[int, ...]
    picture: str | None = None

    @property
    def number(self) -> int:
        """Its place on the page, from 1."""
        return int(self.heading.partition(".")[0])

    @property
    def runs(self) -> set[str]:
        """The runs of the page that it needs."""
        return set(re.findall(r"runs/(\w+)", " ".join(self.commands))) & RUNS.keys()

    def made_small(self) -> list[str]:
        """Commands that a test can wait for."""
        return [
            command if "interpret.py" in command else f"{command} {self.small}".strip() for command in self.commands
        ]

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
    seeds = tuple(checked.get("seeds", SEEDS[:1]))
    known = {"small", "holds", "seeds", "picture"}
    assert checked.keys() <= known, heading
    commands = tuple(COMMAND.findall(text))
    return Question(
        heading, answer, prose, commands, checked.get("small", ""), checked["holds"], seeds, checked.get("picture")
    )


HEAD, *PARTS = re.split(r"^### ", PAGE, flags=re.MULTILINE)
RUNS = {re.search(r"run_dir=runs/(\w+)", line)[1]: line for line in COMMAND.findall(HEAD)}
QUESTIONS = [question(part) for part in PARTS]


def by_heading(questions: list[Question]) -> Callable:
    return pytest.mark.parametrize("asked", questions, ids=lambda asked: re.sub(r"\W+", "_", asked.heading)[:50])


class Laboratory:
    """A folder in which commands are run, each once, with models of a seed and trained for as long as it is said."""

    def __init__(self, folder: Path, seed: int, training: str = "") -> None:
        self.folder, self.seed, self.training = folder, seed, training
        self.printed: dict[str, str] = {}

    def run(self, command: str) -> str:
        """What a command prints."""
        done = forks.run(command.replace("python scripts", f"python {ROOT}/scripts"), self.folder)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        return done.stdout

    def seeded(self, command: str) -> str:
        """The command with the seed, where it draws weights of its own."""
        draws = "horizon.py" in command or (
            "gradients.py" in command and ("cells=" in command or "initial=" in command)
        )
        return f"{command} seed={self.seed}" if draws else command

    def ask(self, asked: Question) -> bool:
        """Tell whether what is said holds, with what has not been trained and measured yet."""
        for name in sorted(asked.runs):
            if not (self.folder / "runs" / name).exists():
                self.run(f"{RUNS[name]} seed={self.seed} {self.training}")
        for command in (commands := asked.made_small()):
            if command not in self.printed:
                self.printed[command] = self.run(self.seeded(command))
        return asked.holds_in([self.printed[command] for command in commands])

    def picture(self, asked: Question) -> np.ndarray:
        """The picture that the commands of a question have drawn."""
        words = " ".join(asked.commands).split()
        (path,) = (path for path in self.folder.rglob(asked.picture) if f"out={path.parent.name}" in words)
        return imread(path)


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory) -> Laboratory:
    return Laboratory(tmp_path_factory.mktemp("questions"), 1, FIRST_STEPS)


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


@pytest.mark.parametrize("number", QUICK)
def test_what_is_said_of_first_steps_holds(number, laboratory):
    assert laboratory.ask(QUESTIONS[number - 1])


def test_unlike_commands_are_tried_each_time():
    scripts = [re.findall(r"scripts/(\w+)\.py", QUESTIONS[number - 1].commands[0])[0] for number in QUICK]
    assert len(set(scripts)) == len(scripts)


def test_the_page_names_what_is_tried_each_time_with_three_seeds():
    named = re.search(r"and with 2 and 3 those of questions\s([\d, and\n]+)\.", HEAD)[1]
    assert [int(number) for number in re.findall(r"\d+", named)] == [
        asked.number for asked in QUESTIONS if asked.seeds == SEEDS
    ]
    assert all(set(asked.seeds) <= set(SEEDS) and "seed" in asked.text for asked in QUESTIONS if len(asked.seeds) == 2)


def test_pictures_are_small_and_each_has_its_question():
    pictures = PICTURE.findall(PAGE)
    assert len(pictures) >= 8
    assert {path for _, path in pictures} == {f"questions/{path.name}" for path in (DOCS / "questions").iterdir()}
    for words, path in pictures:
        assert len(words) > 20, path
        assert (DOCS / path).stat().st_size < LARGEST, path
    for asked in QUESTIONS:
        assert bool(asked.picture) == (len(PICTURE.findall(asked.text)) == 1), asked.heading


def test_the_list_at_the_top_leads_to_every_question():
    links = re.findall(r"\[(\d+) [^]]+\]\(#([\w-]+)\)", HEAD)
    assert [int(number) for number, _ in links] == [asked.number for asked in QUESTIONS]
    for (_, anchor), asked in zip(links, QUESTIONS, strict=True):
        assert anchor == re.sub(r"[^\w -]", "", asked.heading.lower()).replace(" ", "-")


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_all_that_is_said_holds(seed, tmp_path):
    """In one test, so that its models are trained once, however many processes there are."""
    laboratory = Laboratory(tmp_path, seed)
    own = [asked for asked in QUESTIONS if EVERY_SEED or seed in asked.seeds]
    assert [asked.heading for asked in own if not laboratory.ask(asked)] == []
    for asked in own:
        if asked.picture is not None:
            (shown,) = (path for _, path in PICTURE.findall(asked.text))
            assert laboratory.picture(asked).shape[:2] == imread(DOCS / shown).shape[:2], asked.heading
