"""Scripts in forks of a process that has imported what they import: processes of their own, but sooner there."""

import multiprocessing
import os
import runpy
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

_COMMANDS = sorted(path.stem for path in (Path(__file__).parents[2] / "seq2seq" / "commands").glob("[a-z]*.py"))
_SECONDS = 300


def run(command: str, folder: Path, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    """What became of `python SCRIPT ARGUMENTS [< FILE]` in a folder, where streams have the encoding of a locale.

    With `< &-` stdin is closed.
    """
    words, _, source = command.partition(" < ")
    _, script, *arguments = shlex.split(words)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"seq2seq.commands.{name}" for name in _COMMANDS])
    with tempfile.TemporaryDirectory() as kept:
        said, complained = Path(kept, "stdout"), Path(kept, "stderr")
        given = source if source == "&-" else str(folder / source) if source else os.devnull
        paths = [given, str(said), str(complained)]
        process = context.Process(target=_become, args=(script, arguments, str(folder), paths, encoding))
        process.start()
        process.join(_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
        out, err = (path.read_text(encoding="utf-8") for path in (said, complained))
        return subprocess.CompletedProcess(command, process.exitcode, out, err)


def _become(script: str, arguments: list[str], folder: str, paths: list[str], encoding: str) -> None:
    os.chdir(folder)
    for number, path in enumerate(paths[1:], 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    if paths[0] == "&-":
        os.close(0)
        sys.stdin = None  # as Python starts with it
    else:
        os.dup2(os.open(paths[0], os.O_RDONLY), 0)
        sys.stdin = open(0, encoding="utf-8")  # multiprocessing has closed it  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding=encoding)
    torch.set_num_threads(1)
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path(script).parent))
    runpy.run_path(script, run_name="__main__")
