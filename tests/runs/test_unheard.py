"""No option is deaf: what a language model or a transducer has no use for is refused by name."""

import re

import pytest

from seq2seq.commands.benchmarking.few_steps import load_data
from seq2seq.commands.building.module import refuse_unfit
from seq2seq.commands.evaluating.text_scores import refuse_deaf
from seq2seq.config.invocation import invoked
from seq2seq.config.keywords import called
from seq2seq.errors import UserError
from seq2seq.runs.possible import checked, possible_model

LANGUAGE_MODEL = ["experiment=language_model", "data.train=text.txt"]


@pytest.mark.parametrize(("name", "value"), [("max_length", 99), ("pool_batches", 7)])
def test_text_that_is_read_end_to_end_has_no_sequences(plain_config_of, name, value):
    with pytest.raises(UserError, match=f"^batches.{name} has no effect on text that is read end to end, but"):
        checked(plain_config_of("train", *LANGUAGE_MODEL, f"batches.{name}={value}"))
    checked(plain_config_of("train", *LANGUAGE_MODEL, f"batches.{name}={value}", "truncation=none"))
    checked(plain_config_of("train", *LANGUAGE_MODEL))


@pytest.mark.parametrize(
    "override",
    ["decoding=beam", "fusion.run=x", "rerank=mbr", "replace_unknown=true", "metrics=exact_match", "precision=int8"],
)
def test_perplexity_hangs_on_no_search(override):
    key = re.split("[.=]", override)[0]
    with pytest.raises(UserError) as error:
        refuse_deaf(["run=x", override])
    assert str(error.value) == (
        f"{override} has no effect on the perplexity of a language model: leave it out; {key} is for models with a "
        "source."
    )
    refuse_deaf(["run=x", "file=y.txt", "split=dev", "device=cpu", "threads=1", "data.dev=z", "trust=[a]", "hydra.x=1"])


@pytest.mark.parametrize("name", ["coverage_loss", "entropy_floor"])
def test_a_pointer_learns_nothing_of_where_it_looks(plain_config_of, name):
    config = plain_config_of("train", "model=transducer", f"objective.{name}=0.5")
    possible = checked(config)
    with pytest.raises(UserError, match=f"^objective.{name} must be 0 with model=transducer, .* but is 0.5"):
        refuse_unfit(possible, possible_model(possible, config))


@pytest.mark.parametrize("override", ["init=runs/1", "distill=teachers"])
def test_a_few_steps_take_neither_a_run_nor_teachers(plain_config_of, override):
    config = plain_config_of("train", override, *(["distill.teachers=[x]"] if "distill" in override else []))
    with pytest.raises(UserError, match=f"^{override.partition('=')[0]} must be n.* where a few steps are looked at"):
        load_data(config)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (
            {"model": "language_model"},
            "model=language_model needs settings that suit running text: write experiment=language_model in its place.",
        ),
        (
            {"experiment": "pronalsyl", "model": "transducer"},
            "model=transducer has no model/attention, which experiment=pronalsyl chooses: leave one of them out.",
        ),
    ],
)
def test_a_part_that_another_option_chooses_is_not_told_as_the_user_s(keywords, message):
    with pytest.raises(UserError) as error, called("train", keywords):
        pass
    assert str(error.value) == message


def test_a_part_that_the_user_chose_is_told_as_theirs():
    given = {"model": "transducer", "model/attention": "dot"}
    with (
        invoked("train", ()),
        pytest.raises(UserError, match="^The option 'model/attention' needs model="),
        called("train", given),
    ):
        pass
