"""What Hydra is told of places, and of sweeps where there is none, is refused with what to type."""

import pytest

from seq2seq.config.arguments import readable_arguments
from seq2seq.errors import UserError


@pytest.mark.parametrize(
    ("script", "argument", "advice"),
    [
        ("train", "hydra.run.dir=runs/x", "use run_dir=runs/x instead"),
        ("train", "++hydra.run.dir='a b'", "use run_dir='a b' instead"),
        ("evaluate", "hydra.run.dir=out", "leave it out"),
        ("train", "hydra.output_subdir=.hydra", "leave it out"),
        ("train", "hydra.job.chdir=true", "leave it out"),
        ("train", "hydra.runtime.output_dir=x", "leave it out"),
    ],
)
@pytest.mark.parametrize("flags", [[], ["--multirun"]])
def test_what_hydra_would_write_where_is_refused(monkeypatch, script, argument, advice, flags):
    monkeypatch.setattr("sys.argv", [f"scripts/{script}.py", *flags, argument])
    with pytest.raises(UserError) as error:
        readable_arguments([*flags, argument])
    assert str(error.value) == f"{argument} is not for these scripts, which say themselves where they write: {advice}."


@pytest.mark.parametrize(
    "argument", ["hydra.sweep.dir=x", "hydra/launcher=workers", "hydra.sweeper.max_batch_size=2", "hydra.job.name=x"]
)
def test_what_is_for_sweeps_is_refused_without_one(monkeypatch, argument):
    monkeypatch.setattr("sys.argv", ["scripts/train.py", argument])
    with pytest.raises(UserError) as error:
        readable_arguments([argument])
    assert str(error.value) == f"{argument} is for a sweep: add --multirun, or leave it out."
    for sweep in ("--multirun", "-m", "hydra.mode=MULTIRUN"):
        assert argument in readable_arguments([sweep, argument])


@pytest.mark.parametrize("argument", ["hydra.verbose=true", "hydra.mode=RUN", "hydra.searchpath=[file://conf]"])
def test_other_options_of_hydra_pass(monkeypatch, argument):
    monkeypatch.setattr("sys.argv", ["scripts/train.py", argument])
    assert readable_arguments([argument]) == [argument]
