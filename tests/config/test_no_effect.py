"""Options that would change nothing, or leave nothing to do, are refused at the start."""

import pytest

import seq2seq
from seq2seq.errors import UserError


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+trainer.limit_val_batches=0", "trainer.limit_val_batches must be above 0, but is 0: leave it out for all "),
        ("+trainer.limit_val_batches=0.0", "trainer.limit_val_batches must be above 0, but is 0.0: leave it out for "),
        ("+trainer.limit_train_batches=0", "trainer.limit_train_batches must be above 0, but is 0: leave it out for "),
        ("+trainer.sync_batchnorm=true", "trainer.sync_batchnorm is set by the script: leave it out."),
        ("lr_finder.steps=7", "lr_finder.steps=7 has no effect without find_lr=true: give both, or leave it out."),
        ("trust=[nosuch]", "trust must hold packages that can be imported, but 'nosuch' is none: install it, or run "),
        ("freeze=['']", "freeze must name parts of the model with weights, but '' is none: there are "),
    ],
)
def test_training_refuses_them(mistake, tiny_run, tmp_path, override, message):
    assert mistake("train", *tiny_run, override, "run_dir=run").startswith(message)
    assert not (tmp_path / "run").exists()


def test_a_comparison_s_option_is_refused_where_one_run_is_scored(mistake):
    said = mistake("evaluate", "run=x", "randomization=5")
    assert said == "randomization=5 has no effect on one run, which has no p-value: give compare=true, or leave it out."


def test_from_python_too():
    with pytest.raises(UserError, match=r"^lr_finder.steps=7 has no effect without find_lr=true"):
        seq2seq.train([("a", "b")], lr_finder__steps=7)
