"""A job of scripts/train.py: training, or what else a config asks of it."""

import sys
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from seq2seq.commands.training.starter import end_with_starter
from seq2seq.commands.training.sweep import EndedJob, Sweep
from seq2seq.config.contract import check_type
from seq2seq.config.job import given_overrides
from seq2seq.config.sweep import current_job
from seq2seq.errors import UserError
from seq2seq.runs.meeting import met_if_several
from seq2seq.runs.run_folder import open_run_folder, released_at_failure
from seq2seq.whole_file import write_whole

_sweeps: dict[tuple[str, bool], Sweep] = {}  # of this process, by the score that compares its jobs


def lines_of_sweep() -> Iterable[str]:
    """Lines of the table that a sweep ends in; none outside of one."""
    return [line for sweep in _sweeps.values() for line in ("", *sweep.table())]


def repeated_config(config: DictConfig) -> dict[str, Any] | None:
    """The plain config of the run that a config repeats; None where it repeats none."""
    if not config["from"] or config.resume:
        return None
    from seq2seq.commands.training.repetition import config_to_repeat

    return config_to_repeat(config)


def run_job(config: DictConfig) -> float:
    """Train as a config says and return the monitored score of the best checkpoint, or find a learning rate.

    Imports take seconds, and come after the cheap mistakes are found.
    """
    end_with_starter()
    for name in ("resume", "find_lr"):
        check_type(name, config[name], bool)
    if config.find_lr:
        from seq2seq.commands.training.find_lr import find_lr

        return find_lr(config)
    refuse_deaf_finder()
    with met_if_several():
        return _trained(config)


def refuse_deaf_finder() -> None:
    """Raise UserError at options of a search for a learning rate where there is none."""
    for text in given_overrides():
        if text.startswith("lr_finder."):
            raise UserError(f"{text} has no effect without find_lr=true: give both, or leave it out.")


def _trained(config: DictConfig) -> float:
    resolved, folder = open_run_folder(config, repeated_config(config))
    with released_at_failure(folder, taken=not config.resume):
        from seq2seq.commands.train import train

        outcome = train(resolved, folder, resume=config.resume)
        if outcome.record:
            from seq2seq.runs.summary import print_report

            scripts = Path(sys.argv[0]).parent
            print_report(outcome.record, outcome.examples, outcome.outputs, resolved["data"], folder, scripts)
            if config["from"]:
                from seq2seq.commands.training.repetition import verdict

                print(verdict(config["from"], folder))
            if (job := current_job()) and isfinite(outcome.objective):
                key = outcome.monitored, outcome.higher
                ended = EndedJob(job, outcome.objective, outcome.record["training_seconds"])
                _sweeps.setdefault(key, Sweep(*key)).note(ended)
                lines = "\n".join(lines_of_sweep()).lstrip()
                write_whole(job.folder / "leaderboard.md", f"{lines}\n".encode())
        return outcome.objective
