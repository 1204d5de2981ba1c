"""Runs beside each other: what is printed, on what examples, and how runs are named."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
import torch

from seq2seq.commands import evaluate as command
from seq2seq.commands.evaluate import evaluate_run
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import sealed
from seq2seq.runs.comparison import find_runs


@pytest.fixture(scope="module")
def sweep(finished, tmp_path_factory) -> Path:
    """A folder of runs 0, 2 and 10, the same but for noise on their weights, and of what is no run."""
    folder = tmp_path_factory.mktemp("sweep")
    for number in (0, 2, 10):
        contents: dict[str, Any] = torch.load(finished / "checkpoints" / "best.ckpt", weights_only=True)
        torch.manual_seed(number)
        for name, weight in contents["weights"].items():
            contents["weights"][name] = weight + 0.05 * number * torch.randn_like(weight)
        path = folder / str(number) / "checkpoints"
        path.mkdir(parents=True)
        torch.save(sealed(contents), path / "best.ckpt")
    (folder / "1").mkdir()
    (folder / "notes.txt").touch()
    return folder


@pytest.fixture
def compared(config_of, sweep, capsys, monkeypatch) -> Callable[..., tuple[dict[str, Any], str]]:
    """The report of runs of the sweep, and what was printed on stderr."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*overrides: str, runs: str = "") -> tuple[dict[str, Any], str]:
        draws = ["bootstrap=100", "randomization=100", "device=cpu", "split=train"]
        given = runs or f"[{sweep}/0,{sweep}/10]"
        report = evaluate_run(config_of("evaluate", f"run={given}", "compare=true", *draws, *overrides))
        said = capsys.readouterr()
        assert said.out == ""
        return report, said.err

    return run


def test_every_run_has_the_report_that_it_has_alone(compared, config_of, sweep):
    report, _ = compared()
    assert list(report) == ["data", "signatures", "sentences", "runs", "mean", "deviation", "differences"]
    for found in report["runs"]:
        alone = evaluate_run(config_of("evaluate", f"run={found['run']}", "split=train", "bootstrap=100"))
        assert {"run": found["run"], **alone} == found | {
            **{name: report[name] for name in ("data", "signatures", "sentences")},
            "seconds": alone["seconds"],
        }
    assert [found["run"] for found in report["runs"]] == [f"{sweep}/0", f"{sweep}/10"]
    assert json.loads(json.dumps(report)) == report


def test_differences_are_from_the_first_run_and_significant_where_large(compared, sweep):
    report, _ = compared("metrics=pronunciation")
    (found,) = report["differences"]
    assert (found["run"], found["baseline"]) == (f"{sweep}/10", f"{sweep}/0")
    first, second = (run["scores"] for run in report["runs"])
    assert second["per"] > first["per"] + 10  # noise does harm
    for name, one in found["scores"].items():
        assert one["difference"] == pytest.approx(second[name] - first[name], abs=2e-4)
        assert one["interval"][0] <= one["difference"] <= one["interval"][1]
    assert found["scores"]["per"]["bootstrap_p"] < 0.05
    assert found["scores"]["per"]["randomization_p"] < 0.05


def test_a_run_against_itself_has_no_difference(compared, sweep):
    report, _ = compared(runs=f"[{sweep}/0,{sweep}/0]")
    assert report["differences"][0]["scores"] == {
        "exact_match": {"difference": 0.0, "interval": [0.0, 0.0], "bootstrap_p": 1.0, "randomization_p": 1.0}
    }
    assert report["deviation"] == {"exact_match": 0.0}


def test_mean_and_deviation_over_the_runs_of_a_pattern(compared, sweep):
    report, said = compared("metrics=pronunciation", runs=f"'{sweep}/*'")
    assert [found["run"] for found in report["runs"]] == [f"{sweep}/{number}" for number in (0, 2, 10)]
    assert len(report["differences"]) == 2
    for name in ("wer", "per"):
        values = [found["scores"][name] for found in report["runs"]]
        assert report["mean"][name] == pytest.approx(mean(values), abs=1e-3)
        assert report["deviation"][name] == pytest.approx(stdev(values), abs=1e-3)
    rows = {cells[0]: cells[1:] for line in said.splitlines() if len(cells := cells_of(line)) == 3}
    for row in ("mean", "deviation"):
        assert rows[row] == [f"{report[row][name]:.2f}" for name in ("wer", "per")]
    first = report["runs"][0]
    low, high = first["intervals"]["per"]
    assert rows[f"{sweep}/0"][1] == f"{first['scores']['per']:.2f} ({low:.2f} to {high:.2f})"


def test_the_table_of_differences(compared, sweep):
    report, said = compared()
    (found,) = report["differences"]
    one = found["scores"]["exact_match"]
    low, high = one["interval"]
    assert [f"{sweep}/10", "exact_match", f"{one['difference']:+.2f} ({low:+.2f} to {high:+.2f})"] + [
        f"{one[p]:.4f}" for p in ("bootstrap_p", "randomization_p")
    ] in [cells_of(line) for line in said.splitlines()]


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_a_run_is_laid_out_when_its_turn_comes(compared, monkeypatch):
    calls: list[str] = []
    for name in ("open_translator", "evaluate"):
        whole = getattr(command, name)
        monkeypatch.setattr(
            command, name, lambda *given, of=name, by=whole, **also: calls.append(of) or by(*given, **also)
        )
    compared("bootstrap=0", "randomization=0")
    assert calls == ["open_translator", "evaluate"] * 2


def test_what_is_unknown_is_told_once_of_one_vocabulary(compared, sweep, tmp_path, caplog):
    (tmp_path / "pairs.tsv").write_text("A b\tb x\n", encoding="utf-8")
    compared(f"file={tmp_path / 'pairs.tsv'}", "split=null")
    assert sum("hold what was never seen" in said for said in caplog.messages) == 1
    assert sum("no output can equal" in said for said in caplog.messages) == 1


def test_draws_that_are_turned_off_are_left_out(compared):
    report, said = compared("bootstrap=0", "randomization=0")
    assert "intervals" not in report["runs"][0]
    assert set(report["differences"][0]["scores"]["exact_match"]) == {"difference"}
    assert " to " not in said
    report, _ = compared("bootstrap=0")
    assert set(report["differences"][0]["scores"]["exact_match"]) == {"difference", "randomization_p"}


def test_a_list_without_compare_is_an_ensemble(config_of, sweep):
    report = evaluate_run(config_of("evaluate", f"run=[{sweep}/0,{sweep}/2]"))
    assert "runs" not in report
    assert set(report["scores"]) == {"exact_match"}


# Runs that cannot be compared


def test_runs_are_tried_on_one_split_of_the_same_data(compared, sweep, tmp_path):
    contents: dict[str, Any] = torch.load(sweep / "2" / "checkpoints" / "best.ckpt", weights_only=True)
    contents["config"]["data"]["seed"] = 7
    torch.save(sealed(contents), tmp_path / "other.ckpt")
    with pytest.raises(UserError) as error:
        compared(runs=f"[{sweep}/0,{tmp_path}/other.ckpt]")
    assert str(error.value) == (
        f"run must name runs of the same train split, but that of {tmp_path}/other.ckpt is not that of {sweep}/0: "
        "give file=pairs.tsv, which none has learnt from."
    )
    (tmp_path / "pairs.tsv").write_text("a b\tb a\nc\tc\n", encoding="utf-8")
    report, _ = compared(f"file={tmp_path}/pairs.tsv", "split=null", runs=f"[{sweep}/0,{tmp_path}/other.ckpt]")
    assert report["sentences"] == 2


def test_data_described_otherwise_that_are_the_same_are_compared(compared, sweep, tmp_path):
    contents: dict[str, Any] = torch.load(sweep / "2" / "checkpoints" / "best.ckpt", weights_only=True)
    contents["config"]["data"]["test_size"] = 0
    torch.save(sealed(contents), tmp_path / "without.ckpt")
    report, _ = compared(runs=f"[{sweep}/0,{tmp_path}/without.ckpt]")
    assert report["data"] == "train"


@pytest.mark.parametrize(
    ("given", "names"), [("a", "a"), (["a"], "a"), ([], "none"), (3, "3")], ids=["one", "list", "none", "number"]
)
def test_fewer_than_two_runs(given, names):
    with pytest.raises(UserError) as error:
        find_runs(given)
    assert str(error.value) == (
        f"run must name two runs or more, but names {names}: give run=[A,B], or a pattern such as "
        "run='runs/sweeps/*/*'."
    )


def test_a_pattern_that_meets_no_run(tmp_path):
    (tmp_path / "1").mkdir()
    with pytest.raises(UserError) as error:
        find_runs(f"{tmp_path}/*")
    assert str(error.value) == (
        f"run={tmp_path}/* must meet run folders or checkpoints, but meets none: look with ls {tmp_path}/*"
    )


def test_runs_are_in_the_order_of_their_numbers_and_a_folder_may_be_named_like_a_pattern(sweep, tmp_path):
    (tmp_path / "run [1]").mkdir()
    found = find_runs([f"{tmp_path}/run [1]", f"{sweep}/*"])
    assert found == [f"{tmp_path}/run [1]", *(f"{sweep}/{number}" for number in (0, 2, 10))]
    assert find_runs(["x/y", "z"]) == ["x/y", "z"]  # whether they are there is for who loads them
