"""Ctrl-C ends a command quietly from its first moment on."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EARLY = "import os, signal\nimport seq2seq.early_interrupt as early\n"
PRESS = "os.kill(os.getpid(), signal.SIGINT)\n"


def ended(code: str, before: signal.Handlers = signal.SIG_DFL) -> subprocess.CompletedProcess[str]:
    """How a process ends that runs the code, where the one that starts it has had SIGINT handled so."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, before),
    )


def test_what_is_loaded_is_left_without_a_word():
    done = ended(EARLY + PRESS + "print('went on')")
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_once_a_script_runs_it_is_told_as_ever():
    caught = f"early.catch_interrupts()\ntry:\n    {PRESS}except KeyboardInterrupt:\n    print('caught')"
    done = ended(EARLY + caught)
    assert (done.returncode, done.stdout, done.stderr) == (0, "caught\n", "")


def test_what_runs_is_left_in_order():
    script = "import sys\nfrom seq2seq.config.command_line import run\nsys.argv = ['train']\n"
    main = f"def main():\n    try:\n        {PRESS}    finally:\n        print('left in order')\n"
    done = ended(f"{EARLY}{script}{main}run(main)")
    assert (done.returncode, done.stdout, done.stderr) == (130, "left in order\n", "")


def test_a_process_that_was_started_to_ignore_it_goes_on():
    done = ended(EARLY + PRESS + "early.catch_interrupts()\n" + PRESS + "print('went on')", signal.SIG_IGN)
    assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")


def test_python_code_that_imports_all_of_the_package_keeps_its_own():
    """Ctrl-C in a notebook ends a cell, not the kernel."""
    code = (
        "import pkgutil, importlib, signal, seq2seq\n"
        "for one in pkgutil.walk_packages(seq2seq.__path__, 'seq2seq.'):\n"
        "    if one.name not in ('seq2seq.__main__', 'seq2seq.early_interrupt'):\n"
        "        importlib.import_module(one.name)\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
    )
    done = ended(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", [*sorted((ROOT / "scripts").glob("*.py")), ROOT / "seq2seq" / "__main__.py"], ids=str)
def test_every_command_imports_it_first(path):
    first = next(
        node
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    )
    assert ast.unparse(first) == "import seq2seq.early_interrupt"
