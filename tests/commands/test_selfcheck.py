"""The promises of decoding: kept by a trained run, and found broken where a model breaks them."""

import runpy
import sys
from typing import Any

import pytest
import torch

from seq2seq.commands.selfcheck import selfcheck
from seq2seq.config.places import CONF
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.errors import UserError
from seq2seq.runs.matmul_precision import set_matmul_precision
from seq2seq.translation.promises import Finding, Tolerance, find

SOURCES = ["ab", "c d e", "fghij", "z", "a"]
SHORT = LengthLimits(max_ratio=1.0, max_extra=4)
EQUAL = "greedy is a beam of 1"


class Unsteady:
    """A model whose logits are multiplied by what `factor` makes of a step's ids, `batch beam`."""

    def __init__(self, model: Any, factor: Any) -> None:
        self.model, self.factor = model, factor

    def start(self, source, lengths) -> Any:
        return self.model.start(source, lengths)

    def step(self, ids, memory, states) -> Any:
        logits, weights, states = self.model.step(ids, memory, states)
        return logits * self.factor(ids), weights, states


@pytest.fixture
def broken(babbler):
    """The promises that a model of the given factor breaks."""

    def found(factor, search=None) -> set[str]:
        translator = babbler(batch_size=3)
        translator.stepper = Unsteady(translator.stepper, factor)
        findings = find(translator, SOURCES, search or GreedySearch(length=SHORT), seed=1)
        assert {finding.sentences for finding in findings} == {len(SOURCES)}
        return {finding.promise for finding in findings if not finding.kept(Tolerance(1e-5, 0.0))}

    return found


def test_a_steady_model_keeps_all(broken):
    assert broken(lambda ids: 1.0) == set()
    assert broken(lambda ids: 1.0, Sampling(samples=2, length=SHORT)) == set()


def test_a_model_that_hangs_on_its_batch_is_found(broken):
    promises = broken(lambda ids: 1.0 + 0.01 * len(ids))
    assert {"GreedySearch: one by one is all together", "BeamSearch: one by one is all together"} <= promises


def test_a_model_that_hangs_on_its_place_in_the_batch_is_found(broken):
    promises = broken(lambda ids: 1.0 + 0.01 * torch.arange(len(ids))[:, None, None])
    assert "GreedySearch: shuffled is in order" in promises
    assert "BeamSearch: shuffled is in order" in promises


def test_a_model_that_hangs_on_its_beam_is_found(broken):
    promises = broken(lambda ids: 1.0 + 0.01 * ids.shape[1])
    assert promises == {"BeamSearch: forced score is search score"}


def test_a_model_that_changes_from_search_to_search_is_found(broken):
    steps = iter(range(10**6))
    assert EQUAL in broken(lambda ids: 1.0 + 0.001 * next(steps))


def test_a_model_of_nothing_but_nan_keeps_nothing(broken):
    assert EQUAL in broken(lambda ids: float("nan"))


# Of a run


@pytest.fixture
def check_of(config_of, finished, capsys, monkeypatch):
    """Whether all is kept, and the lines of the table."""
    monkeypatch.setenv("COLUMNS", "40")  # a file is not as narrow as somebody's terminal

    def run(*overrides: str) -> tuple[bool, list[str]]:
        capsys.readouterr()
        kept = selfcheck(config_of("selfcheck", f"run={finished}", "device=cpu", *overrides))
        return kept, capsys.readouterr().out.splitlines()

    return run


def verdicts(lines: list[str]) -> dict[str, list[str]]:
    """The cells of the table by promise."""
    rows = ([cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│"))
    return {promise: cells for promise, *cells in rows}


def test_a_trained_run_keeps_all_and_the_table_says_so(check_of):
    kept, lines = check_of()
    assert kept
    assert "promises on dev, 8 sentences, tolerance 1e-05 nats a token" in lines[0]
    table = verdicts(lines)
    laws = ["forced score is search score", "one by one is all together", "shuffled is in order"]
    assert set(table) == {EQUAL, *(f"{search}: {law}" for search in ("GreedySearch", "BeamSearch") for law in laws)}
    for different, worst, verdict in table.values():
        assert (different, verdict) == ("0", "kept")
        assert 0.0 <= float(worst) <= 1e-5


def test_a_search_that_is_asked_for_is_tested_too(check_of):
    kept, lines = check_of("decoding=sampling", "decoding.samples=2", "split=test", "sentences=3")
    assert kept
    assert "promises on test, 3 sentences" in lines[0]
    assert len(verdicts(lines)) == 10
    assert "Sampling: one by one is all together" in verdicts(lines)


def test_a_promise_that_is_not_kept_is_named(check_of, monkeypatch):
    monkeypatch.setattr("seq2seq.runs.run.pack", lambda model, *_: Unsteady(model, lambda ids: len(ids)))
    kept, lines = check_of()
    assert not kept
    assert verdicts(lines)["GreedySearch: one by one is all together"][2] == "BROKEN"


@pytest.mark.processor
@pytest.mark.parametrize(
    "precision",
    [
        pytest.param("bfloat16", marks=pytest.mark.needs_bfloat16),
        pytest.param("int8", marks=pytest.mark.needs_int8),
    ],
)
def test_reduced_precision_keeps_its_own_tolerance(check_of, precision):
    kept, lines = check_of(f"precision={precision}")
    assert kept
    assert "tolerance 0.05 nats a token, 1% other tokens" in lines[0]
    assert "tolerance 1e-07 nats a token, 1% other tokens" in check_of(f"precision={precision}", "tolerance=1e-7")[1][0]


def test_so_do_products_in_tf32(check_of):
    lines = check_of("matmul_precision=high")[1]
    assert "tolerance 0.05 nats a token, 1% other tokens" in lines[0]
    set_matmul_precision("highest")


@pytest.mark.parametrize(("different", "worst", "exact", "rounded"), [(0, 1e-6, True, True), (2, 1e-6, False, True)])
def test_a_finding_is_held_to_its_tolerance(different, worst, exact, rounded):
    finding = Finding("a promise", sentences=200, different=different, worst=worst)
    assert finding.kept(Tolerance(1e-5, 0.0)) is exact
    assert finding.kept(Tolerance(0.05, 0.01)) is rounded
    assert not Finding("a promise", 200, 3, worst).kept(Tolerance(0.05, 0.01))
    assert not Finding("a promise", 200, 0, 0.06).kept(Tolerance(0.05, 0.01))


def test_a_promise_that_is_not_kept_is_exit_code_1(finished, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("seq2seq.runs.run.pack", lambda model, *_: Unsteady(model, lambda ids: len(ids)))
    monkeypatch.setattr(sys, "argv", ["selfcheck.py", f"run={finished}", "device=cpu"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")  # so that what the script sets goes when the test ends
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(CONF.parent / "scripts" / "selfcheck.py"), run_name="__main__")
    assert end.value.code == 1
    assert " BROKEN " in capsys.readouterr().out


def test_sources_come_from_a_file_and_from_all_over_it(check_of, tmp_path, monkeypatch):
    seen: list[list[str]] = []
    monkeypatch.setattr("seq2seq.commands.selfcheck.find", lambda _, sources, *rest, **more: seen.append(sources) or [])
    monkeypatch.setattr("seq2seq.commands.selfcheck._print", lambda *_: None)
    (tmp_path / "lines.txt").write_text("a\n\nb\tx\nc\nd\ne\nf\n  \ng\n", encoding="utf-8")
    for count in (1, 4, 7, 9):
        check_of(f"file={tmp_path}/lines.txt", f"sentences={count}")
    assert seen == [["a"], ["a", "b", "d", "f"], list("abcdefg"), list("abcdefg")]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sentences=0", "sentences must be a whole number of at least 1, but is 0."),
        ("sentences=all", "sentences must be a whole number of at least 1, but is 'all'."),
        ("tolerance=-1", "tolerance must be at least 0, but is -1."),
        ("tolerance=small", "tolerance must be float | None, but is 'small'."),
        ("seed=x", "seed must be a whole number from 0 to 4294967295, but is 'x'."),
    ],
)
def test_options_that_do_not_work_are_told(check_of, override, message):
    with pytest.raises(UserError) as error:
        check_of(override)
    assert str(error.value) == message


def test_a_file_of_nothing_but_spaces_has_nothing_to_test(check_of, tmp_path):
    (tmp_path / "tabs.txt").write_text("\tx\n  \ty\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"must hold a source that is not empty: give file=lines.txt or another split"):
        check_of(f"file={tmp_path}/tabs.txt")


def test_threads_are_those_asked_for(check_of):
    check_of("threads=2", "sentences=1")
    assert torch.get_num_threads() == 2
