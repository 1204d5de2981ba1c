"""What is printed when training has ended."""

import subprocess
import sys
import types
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest

from seq2seq.config.closed_table import trusting
from seq2seq.data.examples import Example
from seq2seq.data.series import ForecastSeries, Series
from seq2seq.runs.summary import print_rates, print_report

RECORD: dict[str, Any] = {
    "split": "dev",
    "sentences": 3,
    "scores": {"wer": 12.3456, "per": 3.0},
    "training_seconds": 90.0,
    "step": 40,
}
EXAMPLES = [Example("abc", ("A B C", "A C")), Example("d", ("D",)), Example("e", ("E",))]
OUTPUTS = ["A C", "F", "E"]


@pytest.fixture
def printed(capsys, monkeypatch):
    """The lines of a report."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(examples: list[Example] = EXAMPLES, outputs: list[str] = OUTPUTS, **changes: Any) -> list[str]:
        data = changes.pop("data", {})
        print_report(RECORD | changes, examples, outputs, data, Path("runs/x"), Path("scripts"))
        said = capsys.readouterr()
        assert said.err == ""
        return said.out.splitlines()

    return run


def row(lines: list[str], first: str) -> list[str]:
    """The cells of the table's row that begins with `first`."""
    (line,) = [line for line in lines if line.startswith(("│", "┃")) and cells(line)[0] == first]
    return cells(line)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]


def test_scores_with_their_names(printed):
    lines = printed()
    assert row(lines, "scores, %") == ["scores, %", "wer", "per"]
    assert row(lines, "dev, 3 examples") == ["dev, 3 examples", "12.35", "3.00"]


def test_scores_of_all_of_dev_come_beside_those_of_test(printed):
    lines = printed(split="test", dev={"sentences": 6303, "scores": {"wer": 11.0, "per": 2.0}})
    assert row(lines, "test, 3 examples") == ["test, 3 examples", "12.35", "3.00"]
    assert row(lines, "dev, 6,303 examples") == ["dev, 6,303 examples", "11.00", "2.00"]


def test_samples_say_what_is_right(printed):
    lines = printed()
    assert row(lines, "abc") == ["abc", "A C", "A B C / A C", "ok"]
    assert row(lines, "d") == ["d", "F", "D", ""]
    assert row(lines, "e") == ["e", "E", "E", "ok"]


def test_the_end_says_where_the_run_is_and_what_comes_next(printed, monkeypatch):
    monkeypatch.setattr("seq2seq.runs.summary.is_installed", lambda library: False)
    assert printed()[-5:] == [
        "best checkpoint: step 40; trained 1.5 minutes; run folder: runs/x",
        "",
        "next:",
        "  echo abc | python scripts/translate.py run=runs/x",
        "  python scripts/evaluate.py run=runs/x",
    ]


def test_commands_trust_what_this_one_was_told_to(printed, monkeypatch, tmp_path):
    monkeypatch.setattr("seq2seq.runs.summary.is_installed", lambda library: True)
    monkeypatch.setitem(sys.modules, "my_cells", types.ModuleType("my_cells"))
    with trusting(["my_cells"]):
        lines = printed()
    assert lines[-3:] == [
        "  echo abc | python scripts/translate.py run=runs/x trust=my_cells",
        "  python scripts/evaluate.py run=runs/x trust=my_cells",
        "  python scripts/interpret.py run=runs/x trust=my_cells text=abc",
    ]
    assert "trust" not in "".join(printed())


def test_there_is_something_to_look_at(printed, monkeypatch, tmp_path):
    monkeypatch.setattr("seq2seq.runs.summary.is_installed", lambda library: library == "captum")
    assert printed()[-1] == "  python scripts/interpret.py run=runs/x text=abc"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "x" / "tensorboard").mkdir(parents=True)
    assert printed()[-1] == "  python scripts/interpret.py run=runs/x text=abc"
    (tmp_path / "runs/x/tensorboard/events.out.tfevents.1").touch()
    assert printed()[-1] == "  tensorboard --logdir runs/x"


@pytest.mark.parametrize(
    ("source", "shown"),
    [("it's", "'it'\"'\"'s'"), ("a b, c", "'a b, c'"), (" ", "d"), ("a\x1b", "d"), ("$(ls)", "'$(ls)'")],
)
def test_what_is_translated_next_can_be_pasted(printed, source, shown):
    lines = printed([Example(source, ("x",)), Example("d", ("D",))], ["x", "D"])
    assert f"  echo {shown} | python scripts/translate.py run=runs/x" in lines


@pytest.mark.parametrize("source", ["-n", "-e a", r"C:\new", r"\c"])
def test_a_line_that_echo_would_not_write_as_it_is_is_written_all_the_same(printed, source):
    (line,) = [line for line in printed([Example(source, ("a",))], ["a"]) if "translate.py" in line]
    for shell in filter(which, ("sh", "bash")):
        written = subprocess.run([shell, "-c", line.partition(" | ")[0]], capture_output=True, check=True, text=True)
        assert written.stdout == f"{source}\n"


def test_the_cost_and_what_looks_wrong_come_before(printed):
    seconds = {"forward": 60.0, "backward and optimizer": 90.0, "validation": 30.0}
    lines = printed(cost={"steps": 1234, "seconds": seconds}, remarks=["Too short."])
    place = lines.index("Too short.")
    assert lines[place - 1] == (
        "cost: 1,234 steps in 3 min 00 s: forward 33 %, backward and optimizer 50 %, validation 17 %"
    )
    assert lines[place + 1].startswith("best checkpoint: ")


@pytest.mark.parametrize(
    "text", ["[bold]a[/bold]", "[/]", "x [/b] y", "\\[b]", "\\\\[/b]", "end\\", ":smile:", "[[a]]"]
)
def test_texts_are_printed_as_they_are(printed, text):
    lines = printed([Example(text, (text,))], [text])
    assert row(lines, text) == [text, text, text, "ok"]


@pytest.mark.parametrize(("text", "shown"), [("a\x1b[31mb", "a\\x1b[31mb"), ("a\rb", "a\\rb"), ("\x07", "\\x07")])
def test_control_characters_of_the_data_are_shown_escaped(printed, text, shown):
    lines = printed([Example(text, (text,))], [text])
    assert row(lines, shown) == [shown, shown, shown, "ok"]
    assert not set("\x1b\r\x07") & set("".join(lines))


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (10, 10), (11, 10), (35, 10), (1000, 10)])
def test_ten_samples_from_all_over_the_data(printed, count, shown):
    examples = [Example(f"s{number}", (f"t{number}",)) for number in range(count)]
    lines = printed(examples, [f"t{number}" for number in range(count)])
    sources = [cells(line)[0] for line in lines if line.startswith("│ s")]
    numbers = [int(source[1:]) for source in sources]
    assert len(numbers) == shown
    assert numbers[0] == 0
    assert numbers[-1] >= 0.6 * (count - 1)


def test_rates_lie_beside_each_other_on_stderr(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    rows = [
        {"name": "lstm", "target_tokens_per_second": 12345, "share_of_first": 1.0, "parameters": 4000000},
        {"name": "gru", "target_tokens_per_second": 9876, "share_of_first": 0.8, "parameters": 3000000},
    ]
    print_rates(rows)
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert row(lines, "lstm") == ["lstm", "12,345", "100%", "4,000,000"]
    assert row(lines, "gru") == ["gru", "9,876", "80%", "3,000,000"]


def test_names_in_brackets_are_no_markup(capsys, monkeypatch, printed):
    """Rich leaves out what it takes for a style, such as [encoder], and stops at [/a]."""
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("freeze=[encoder]", "a[/b]", "connection=[none,residual]"):
        print_rates([{"name": name, "target_tokens_per_second": 1, "share_of_first": 1.0, "parameters": 2}])
        assert row(capsys.readouterr().err.splitlines(), name)[0] == name
        lines = printed(fine_tuning={"scores": {name: {"before": {"wer": 1.0}}}})
        assert row(lines, f"{name}, before fine-tuning")[1] == "1.00"


def test_what_is_forecast_next_is_in_a_file_of_the_data_that_is_there(printed, tmp_path):
    series = [Example(Series(np.zeros((2, 1))), (Series(np.ones((1, 1))),))]
    outputs = [ForecastSeries(np.ones((1, 1)))]
    train, test = str(tmp_path / "train.csv"), str(tmp_path / "test.CSV")
    for name in (train, test, f"{train}.ts"):
        Path(name).write_text("series,time,x\n")
    for data, wanted in (
        ({"train": train, "dev": None, "test": test}, test),
        ({"train": train, "dev": f"{train}.ts", "test": str(tmp_path / "absent.csv")}, train),
        ({"train": f"{train}.ts"}, "series.npz"),
        ({}, "series.npz"),
    ):
        lines = printed(series, outputs, data=data)
        assert f"  python scripts/forecast.py run=runs/x file={wanted}" in lines
