"""A tiny run, what is left of it on a disk, and how it ends."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
import pytest
import signatures  # noqa: F401  before anything of ours is imported
from smallest_run import SMALLEST

from seq2seq.commands.train import train
from seq2seq.config.command_line import mistakes_in_one_line
from seq2seq.runs.run_folder import released_at_failure

TINY = [
    *SMALLEST,
    "data.train_size=40",
    "model.dropout=0.2",
    "budget.max_steps=4",
    "trainer.val_check_interval=2",
    "callbacks.samples=null",
    "threads=1",
]


@dataclass(frozen=True)
class End:
    """The exit code of a script, and what it said on stderr."""

    code: int
    said: str

    @property
    def mistake(self) -> str:
        """The only line that tells of a mistake, behind those of training. Fails where there is not one."""
        lines = [line for line in self.said.splitlines() if line.startswith("error: ")]
        assert "Traceback" not in self.said
        assert len(lines) == 1, self.said
        assert self.code in (2, 3)
        return lines[0].removeprefix("error: ")


@pytest.fixture(scope="session")
def tiny(plain_config_of: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The config of a run of four steps: tiny("logger=csv"); with data=..., those take the place of its own."""

    def config(*overrides: str) -> dict[str, Any]:
        own = any(text.startswith("data=") for text in overrides)
        kept = [text for text in TINY if not own or not text.startswith(("data.", "experiment="))]
        return plain_config_of("train", *kept, *overrides)

    return config


@pytest.fixture
def ended(
    capsys: pytest.CaptureFixture[str], tiny: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., End]:
    """How training into a folder ends, as scripts/train.py would: ended(folder, "logger=csv", resume=True)."""
    monkeypatch.setattr(sys, "argv", ["scripts/train.py"])

    def script(folder: Path, overrides: tuple[str, ...], *, resume: bool) -> None:
        with mistakes_in_one_line(), released_at_failure(folder, taken=not resume):
            (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
            train(tiny(*overrides), folder, resume=resume)
        sys.exit(0)

    def run(folder: Path, *overrides: str, resume: bool = False) -> End:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            script(folder, overrides, resume=resume)
        assert isinstance(end.value.code, int)
        return End(end.value.code, capsys.readouterr().err)

    return run


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A file system of a size: disk("64k"). The test is skipped where it may not mount one."""
    made: list[Path] = []

    def mount(size: str) -> Path:
        place = tmp_path / f"disk_{len(made)}"
        if not processes.mounted(place, size):
            pytest.skip("file systems cannot be mounted here: these faults are tried by patched writers alone")
        made.append(place)
        return place

    yield mount
    for place in made:
        processes.unmounted(place)
