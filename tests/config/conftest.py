"""What is said to wrong arguments, by all tests of the edge."""

import io
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def mistake(monkeypatch, capsys, tmp_path) -> Callable[..., str]:
    """What a script says to wrong arguments or lines, without the `error: `."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")  # so that what the script sets goes when the test ends
    monkeypatch.chdir(tmp_path)

    def run(script: str, *arguments: str, lines: bytes = b"") -> str:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(lines)))
        path = str(SCRIPTS / f"{script}.py")
        monkeypatch.setattr(sys, "argv", [path, *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            runpy.run_path(path, run_name="__main__")
        said = capsys.readouterr()
        assert end.value.code == 2
        assert said.out == ""
        assert said.err.startswith("error: ")
        assert said.err.endswith("\n")
        assert said.err.count("\n") == 1
        return said.err.removeprefix("error: ").removesuffix("\n")

    return run
