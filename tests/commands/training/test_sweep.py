"""The table that a sweep ends in."""

import math
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from seq2seq.commands import job as command
from seq2seq.commands.training.outcome import Outcome
from seq2seq.commands.training.sweep import EndedJob, Sweep
from seq2seq.config.sweep import Job


def outcome(test: float, dev: float, seconds: float = 60.0) -> Outcome:
    record = {"split": "test", "scores": {"wer": test}, "dev": {"scores": {"wer": dev}}, "training_seconds": seconds}
    return Outcome(record, monitored="wer", higher=False)


def test_jobs_that_differ_in_their_seed_alone_are_one_row(tmp_path):
    sweep = Sweep("wer", higher=False)
    jobs = [("0.1", 1, 40.0), ("0.1", 2, 42.0), ("0.2", 1, 30.0), ("0.2", 2, 30.0)]
    for number, (rate, seed, score) in enumerate(jobs):
        sweep.note(EndedJob(Job(number, [f"optimizer.lr={rate}", f"seed={seed}"], tmp_path), score, 60.0))
    lines = list(sweep.table())
    assert lines == [
        "| | trial | dev wer, %, mean and 95 % of 2 seeds | minutes | settings |",
        "|---|---|---|---|---|",
        "| 1 | 2 | 30.00 \u00b1 0.00 | 2.0 | optimizer.lr=0.2 |",
        "| 2 | 0 | 41.00 \u00b1 12.71 | 2.0 | optimizer.lr=0.1 |",
        "",
        "2 trials of 2 seeds.",
    ]


def test_the_score_to_choose_by_is_that_of_dev():
    assert outcome(1.0, 40.0).objective == 40.0
    assert Outcome({"split": "dev", "scores": {"wer": 7.0}}, monitored="wer").objective == 7.0
    assert math.isnan(Outcome({"split": "dev", "scores": {"wer": 7.0}}, monitored="loss").objective)


@pytest.mark.parametrize(("job", "lines"), [(None, 0), (Job(0, ["seed=1"], Path()), 6)])
def test_jobs_of_a_sweep_are_noted_and_no_others(monkeypatch, tmp_path, job, lines):
    job = job and Job(job.number, job.overrides, tmp_path)
    monkeypatch.setattr(command, "_sweeps", {})
    monkeypatch.setattr(command, "current_job", lambda: job)
    monkeypatch.setattr(command, "open_run_folder", lambda config, repeated: ({"data": {}}, tmp_path))
    monkeypatch.setattr("seq2seq.commands.train.train", lambda config, folder, resume: outcome(1.0, 40.0))
    monkeypatch.setattr("seq2seq.runs.summary.print_report", lambda *given: None)
    command.run_job(OmegaConf.create({"resume": False, "find_lr": False, "from": None}))
    assert len(list(command.lines_of_sweep())) == lines
    assert (tmp_path / "leaderboard.md").exists() == (job is not None)
