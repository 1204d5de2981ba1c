"""Curricula and growing batches in whole runs: they change the result, go on as they were, and are told or refused."""

from typing import Any

import pytest
from kept_runs import last, same

from seq2seq.commands.training.mistakes import refuse_mistakes
from seq2seq.errors import UserError

RUN = ["averaging.decay=0.5", "trainer.val_check_interval=10", "budget.max_steps=24"]
OPTIONS = {
    "length": ["curriculum=length", "curriculum.steps=8", "curriculum.start=3"],
    "competence": ["curriculum=competence", "curriculum.steps=8", "curriculum.start=0.2"],
    "rarity": ["curriculum=competence", "curriculum.steps=8", "curriculum.start=0.2", "curriculum.difficulty=rarity"],
    "growth": ["batch_growth=doubling", "batch_growth.every=4"],
    "all": [
        *("curriculum=competence", "curriculum.steps=6", "curriculum.start=0.3", "batch_growth=doubling"),
        *("batch_growth.every=8", "trainer.accumulate_grad_batches=2", "augmentation=hallucination", "data=copy"),
        *("data.min_length=4", "tokenizer=char", "batches.max_tokens=256"),
    ],
}


@pytest.fixture(scope="module")
def plain(train_tiny, tmp_path_factory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("plain")
    train_tiny(folder, *RUN)
    return last(folder)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_each_changes_the_result_and_goes_on_to_the_bit(train_tiny, tmp_path, plain, interrupt_at, options):
    train_tiny(tmp_path / "whole", *RUN, *options)
    if "data=copy" not in options:
        assert not same(last(tmp_path / "whole"), plain)
    interrupt_at(11)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / "parted", *RUN, *options)
    train_tiny(tmp_path / "parted", *RUN, *options, resume=True)
    assert same(last(tmp_path / "parted"), last(tmp_path / "whole"))


def test_it_is_told_at_the_start_when_it_ends(train_tiny, tmp_path, caplog):
    caplog.set_level("INFO", "seq2seq")
    train_tiny(tmp_path, *RUN, *OPTIONS["competence"][:2], "curriculum.start=0.1", *OPTIONS["growth"])
    told = [message for message in caplog.messages if message.startswith(("curriculum", "batch_growth"))]
    assert told[0].startswith("curriculum: the first epoch has 7 of 64 pairs; from epoch ")
    assert told[1].startswith("batch_growth: from epoch ")
    assert told[1].endswith("batches grow, up to 512 tokens and 4,096 sentences")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["curriculum=length", "curriculum.steps=24"],
            "curriculum.steps must be below budget.max_steps=24, but is 24: lower it, or train for more.",
        ),
        (
            ["batch_growth=doubling", "batch_growth.every=24"],
            "batch_growth.every must be below budget.max_steps=24, but is 24: lower it, or train for more.",
        ),
        (
            ["curriculum=competence", "curriculum.start=2.0"],
            "curriculum.start must be above 0 and below 1, but is 2.0: it is a share of the pairs.",
        ),
        (["curriculum=competence", "curriculum.steps=many"], "curriculum.steps must be int, but is 'many'."),
        (["batch_growth=doubling", "batch_growth.factor=0.5"], "batch_growth.factor must be above 1, but is 0.5: for "),
    ],
)
def test_what_cannot_be_is_refused_before_data_are_read(tiny_config, tmp_path, overrides, message):
    with pytest.raises(UserError) as error:
        refuse_mistakes(tiny_config(*RUN, *overrides), tmp_path)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["curriculum=length", "curriculum.steps=9", "curriculum.start=1"], "curriculum.start must be at least "),
        (["curriculum=length", "curriculum.steps=23", "curriculum.start=5"], "curriculum.steps must be so few that "),
        (["batch_growth=doubling", "batch_growth.every=23"], "batch_growth.every must be so few steps that an epoch "),
    ],
)
def test_what_does_not_end_on_these_data_is_refused_before_training(train_tiny, tmp_path, overrides, message):
    with pytest.raises(UserError) as error:
        train_tiny(tmp_path / "run", *RUN, "data.min_length=2", *overrides)
    assert str(error.value).startswith(message)
    assert not (tmp_path / "run" / "checkpoints").exists()
