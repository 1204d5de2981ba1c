"""A user's file is checked against our types, strictly, from an editable install as well."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = """
import numpy
import seq2seq

run: seq2seq.Run = seq2seq.train([("a", "b")], dev={"a": ["b", "c"]}, seed=2, model={"dropout": 0.2})
one: str = run.translate("a")
several: list[str] = run.translate(["a", "b"])
score: float = run.translate("a", n_best=2, decoding="beam")[0].hypothesis.score
scores: dict[str, float] = run.fine_tune([("a", "c")]).evaluate().scores
size: int = seq2seq.nn.LSTMCell(3, 4).hidden_size
both: list[str] = seq2seq.ensemble([run, seq2seq.load("x")]).translate(several)
ahead: float = run.forecast(numpy.zeros((3, 2))).means[0, 0]
further: int = len(run.forecast([numpy.zeros((3, 2))]))
wrong: int = run.translate("a")
seq2seq.trian([("a", "b")])
"""


BUILD = "from setuptools.build_meta import build_editable; print(build_editable('built'))"


@pytest.fixture(scope="module")
def editable(tmp_path_factory) -> tuple[Path, Path]:
    """The clone, and an environment into which it was installed by `pip install -e`, as far as types see it."""
    home = tmp_path_factory.mktemp("editable")
    clone, environment = home / "clone", home / "environment"
    shutil.copytree(ROOT / "seq2seq", clone / "seq2seq", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone / name)
    (clone / "built").mkdir()
    subprocess.run([sys.executable, "-c", BUILD], cwd=clone, capture_output=True, check=True)
    (wheel,) = (clone / "built").glob("*.whl")
    venv.create(environment)
    places = sysconfig.get_path("purelib", vars={"base": str(environment)})
    with zipfile.ZipFile(wheel) as parts:
        parts.extractall(places, [name for name in parts.namelist() if name.endswith(".pth")])
    (Path(places) / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return clone, environment


def test_an_editable_install_is_a_folder_on_the_path(editable):
    """A finder, which setuptools leaves otherwise, is code that no type checker runs."""
    clone, environment = editable
    (link,) = environment.rglob("*seq2seq*.pth")
    assert link.read_text().split() == [str(clone)]


@pytest.mark.slow
def test_a_user_s_file_passes_a_strict_check_and_a_mistake_in_it_does_not(editable, tmp_path):
    _, environment = editable
    (tmp_path / "user.py").write_text(FILE, encoding="utf-8")
    options = ["--strict", "--follow-imports=silent", "--python-executable", str(environment / "bin" / "python")]
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MYPYPATH")}
    line = [sys.executable, "-m", "mypy", *options, "user.py"]
    found = subprocess.run(line, cwd=tmp_path, env=own, capture_output=True, text=True, check=False)
    assert found.stdout.splitlines() == [
        'user.py:14: error: Incompatible types in assignment (expression has type "str", variable has type "int")  '
        "[assignment]",
        'user.py:15: error: Module has no attribute "trian"; maybe "train"?  [attr-defined]',
        "Found 2 errors in 1 file (checked 1 source file)",
    ]
