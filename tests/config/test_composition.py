"""Configs that are set side by side: their overrides are read, and refused, as on a command line of their own."""

import logging
import subprocess
import sys

import pytest

from seq2seq.config.choices import OF_ONE_RUN, read_choices, refuse_of_one_run
from seq2seq.config.composing import composing
from seq2seq.config.composition import composed
from seq2seq.config.invocation import is_called, supposed
from seq2seq.config.places import SCRIPTS
from seq2seq.errors import UserError

MISTAKES = [
    "averaging=ema",
    "model.cell=gru",
    "objective=null",
    "metrics=null",
    "optimizer.learning_rate=0.1",
    "model/cell=gruu",
    "+callbacks.early_stopping.patience=3",
    "model.dropout=0,1",
    "+model.dropout=0.1",
    "~objective",
    "data=x.tsv",
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_as_on_the_command_line(mistake):
    command = [sys.executable, str(SCRIPTS / "train.py"), "experiment=reverse", mistake]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    with composing(), pytest.raises(UserError) as error:
        composed("train", command[2:])
    assert (answer.returncode, answer.stderr) == (2, f"error: {error.value}\n")


def test_what_a_command_line_takes_is_taken():
    with composing():
        config = composed("train", ["experiment=reverse", "distill=null", "init=~/1.10", "curriculum=length"])
    assert config["distill"] is None
    assert config["init"].startswith("/")


def test_an_override_read_already_is_read_alike_again():
    with composing():
        first = composed("train", ["experiment=reverse", "++model.cell={_target_:seq2seq.layers.recurrent.GRU}"])
        assert first == composed("train", ["experiment=reverse", "model.cell={_target_:seq2seq.layers.recurrent.GRU}"])


def test_values_of_others_are_replaced_without_a_word_but_not_ones_own(caplog):
    with caplog.at_level(logging.WARNING), composing():
        composed("train", ["experiment=reverse", "model.dropout=0.1", "model.dropout=0.2"])
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        read_choices(["model.dropout=0.1 model.dropout=0.2"])
    assert [record.getMessage() for record in caplog.records] == ["model.dropout is given 2 times: 0.2 counts, 0.1 not"]


@pytest.mark.parametrize("key", [*OF_ONE_RUN, "hydra.run.dir", "+resume"])
def test_an_option_of_one_run_is_none_of_a_choice(key):
    with pytest.raises(UserError, match=f"^{key.replace('+', '.')}=1 is for a run of its own, and not for runs side"):
        read_choices([f"model.dropout=0.1 {key}=1"])


def test_a_seed_is_given_or_varied_but_not_both():
    refuse_of_one_run(["seed=3"])
    with pytest.raises(UserError, match=r"^seed=3 must not be given with seeds=2, which are 1, 2, \.\.\.: leave one"):
        refuse_of_one_run(["seed=3"], seeds=2)


def test_a_supposed_command_line_stays_one():
    with supposed("train", ["model=gnmt"]):
        assert not is_called()
