"""Commands that README and the pages of docs/ print: in blocks of bash, in indented blocks, and within lines."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?:^    .*(?:\n|\Z))+", re.MULTILINE)
QUOTED = re.compile(r"`([^`]+)`")
CALL = re.compile(r"(?:^|\s)(?:(?:python )?(?:scripts/)?(\w+)\.py|seq2seq (\w+))(?:\s+|$)")
SCRIPTS = {path.stem for path in (ROOT / "scripts").glob("*.py")}
OF_THE_READER = {"example", "user"}  # files of Python that pages tell the reader to write
STAND_FOR_OTHERS = {"[overrides]", "...", "OPTION"}


@dataclass(frozen=True)
class Printed:
    """A command of a page: the script, which need not exist, and its arguments, but for what stands for others."""

    page: str
    script: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join([self.script, *self.arguments])}"


def printed_commands(page: Path) -> list[Printed]:
    """The commands of a page, in its order."""
    found = []
    for line in _lines(page.read_text(encoding="utf-8")):
        line = re.sub(r'^eval "\$\((.*)\)"$', r"\1", line)
        for part in re.split(r"&&|(?<!\\)\||;", re.sub(r"(\s[<>] ?[\w.&-]+)+", " ", line)):
            call = CALL.search(part)
            script = call and (call[1] or call[2])
            if script and script not in OF_THE_READER:
                found.append(Printed(page.name, script, tuple(_arguments(part[call.end() :]))))
    return found


def fenced(page: Path, language: str) -> list[str]:
    """The blocks of a page in a language."""
    return [block for kind, block in FENCED.findall(page.read_text(encoding="utf-8")) if kind == language]


def quoted(page: Path) -> list[str]:
    """What a page has between single backticks, outside of blocks; a line's end is a space."""
    rest = INDENTED.sub("\n", FENCED.sub("\n", page.read_text(encoding="utf-8")))
    return [" ".join(text.split()) for text in QUOTED.findall(rest)]


def _lines(text: str) -> Iterator[str]:
    """Lines that may hold commands, those that go on in the next one made whole."""
    places = [(match.start(), match[2].splitlines()) for match in FENCED.finditer(text) if match[1] == "bash"]
    rest = FENCED.sub(lambda match: " " * len(match[0]), text)
    places += [(match.start(), _whole_lines(match[0])) for match in INDENTED.finditer(rest)]
    rest = INDENTED.sub(lambda match: " " * len(match[0]), rest)
    places += [(match.start(), [" ".join(match[1].split())]) for match in QUOTED.finditer(rest)]
    for _, lines in sorted(places):
        yield from lines


def _whole_lines(block: str) -> list[str]:
    found: list[str] = []
    for line in (line.removeprefix("    ") for line in block.splitlines()):
        if found and (found[-1].endswith("\\") or line.startswith("  ")):
            found[-1] = " ".join([found[-1].removesuffix("\\").rstrip(), line.strip()])
        else:
            found.append(line)
    return found


def _arguments(text: str) -> list[str]:
    """All words behind a script's name, but those that stand for others; of `[seeds=3]` the brackets go."""
    words = [re.sub(r"^\[(.*=.*)\]$", r"\1", word) for word in shlex.split(text, comments=True)]
    return [word for word in words if word not in STAND_FOR_OTHERS]
