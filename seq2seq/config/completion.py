"""Completion of the command `seq2seq` in shells, by Hydra's own scripts: eval "$(seq2seq -sc install=bash)"."""

import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra._internal.core_plugins.fish_completion import FishCompletion
from hydra.plugins.completion_plugin import CompletionPlugin

from seq2seq.errors import UserError

_SHELLS: dict[str, type[CompletionPlugin]] = {"bash": BashCompletion, "fish": FishCompletion, "zsh": BashCompletion}


def complete(request: str, scripts: Sequence[Path]) -> None:
    """Print what a shell asks for: `install=SHELL` and `uninstall=SHELL` for its own lines, `query=SHELL` for words.

    A query is of what the shell keeps in COMP_LINE: the first word is a command, the others are options of its script.
    Raises UserError at any other request.
    """
    action, _, shell = request.partition("=")
    if action not in ("install", "uninstall", "query") or shell not in _SHELLS:
        raise UserError(f"-sc {request} is none of install, uninstall, query of {', '.join(_SHELLS)}: -sc install=bash")
    sys.argv[0] = "seq2seq"  # by which name Hydra tells the shell
    if action == "query":
        _answer(shell, os.environ.get("COMP_LINE", ""), {path.stem: path for path in scripts})
    else:
        getattr(_SHELLS[shell](None), action)()  # type: ignore[arg-type]  # what loads configs is for queries


def _answer(shell: str, line: str, scripts: dict[str, Path]) -> None:
    """Print the commands that go on as the line does, or let the script of its command print options."""
    words = line.split()
    typed = words[1] if len(words) > 1 else ""
    if len(words) > 2 or typed and line.endswith(" "):
        if typed in scripts:
            rest = line.split(typed, 1)[1]
            os.environ["COMP_LINE"] = f"python {typed}.py{rest}"
            sys.argv[:] = [str(scripts[typed]), "-sc", f"query={shell}"]
            runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        print(("\n" if shell == "fish" else " ").join(name for name in scripts if name.startswith(typed)))
