"""Keywords of a call mean what the overrides of the same names mean."""

from pathlib import Path
from threading import Thread

import numpy
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from seq2seq.config.invocation import is_called
from seq2seq.config.job import given_overrides, sweep_folder
from seq2seq.config.keywords import called
from seq2seq.errors import UserError


def config_of(**keywords):
    with called("train", keywords) as config:
        return config


@pytest.mark.parametrize(
    "keywords", [{"model__dropout": 0.25}, {"model.dropout": 0.25}, {"model": {"dropout": 0.25}}], ids=str
)
def test_a_path_can_be_written_in_three_ways(keywords):
    assert config_of(**keywords).model.encoder.dropout == 0.25


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("seed", numpy.int64(3), 3),
        ("optimizer.lr", numpy.float32(0.5), 0.5),
        ("data.train", Path("a,b=c d.tsv"), "a,b=c d.tsv"),
        ("data.train", "~/x", "~/x"),
        ("data.train", "ευρώπη", "ευρώπη"),
        ("data.train", "1", "1"),
        ("data.train", "null", "null"),
        ("data.train", "it's [a] {b}: ${c}\\", None),
        ("optimizer.betas", (0.5, 0.75), [0.5, 0.75]),
        ("tokenizer.symbols", ["<a>", "b,c"], ["<a>", "b,c"]),
        ("data.dev", None, None),
        ("data.require_test", False, False),
        ("trainer.profiler", "simple", "simple"),  # an option that the config leaves at its default
    ],
)
def test_any_value_arrives_as_it_was(key, value, wanted):
    config = config_of(**{"data": "tsv", "tokenizer": "char", key: value})
    container = OmegaConf.to_container(config, resolve=False)
    for name in key.split("."):
        container = container[name]
    assert container == (value if wanted is None else wanted)


def test_a_group_is_chosen_by_its_name():
    assert config_of(tokenizer="char", schedule="constant").schedule._target_.endswith("ConstantSchedule")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"modle": 1}, "The option 'modle' does not exist: did you mean 'model'?"),
        ({"tokenizer": "chra"}, "The option tokenizer='chra' does not exist: did you mean tokenizer='char'?"),
        ({"model__droput": 1}, "The option 'model__droput' does not exist: did you mean 'model__dropout'?"),
        ({"model": {"droput": 1}}, "The option 'model__droput' does not exist: did you mean 'model__dropout'?"),
        ({"model/cel": "gru"}, "The option 'model/cel' does not exist: did you mean 'model/cell'?"),
        ({"epochs": 1}, "The option 'epochs' does not exist: did you mean 'budget__max_steps'?"),
        ({"objective__coverage": 1}, "The option 'objective__coverage' does not exist: did you mean 'objective__cov"),
        ({"xyzzy": 1}, "The option 'xyzzy' does not exist: train takes augmentation, averaging, "),
        ({"schedule": None}, "schedule=null leaves out what the script needs: choose one of schedule=constant,"),
        ({"trainer__max_epochs": 3}, "trainer__max_epochs is set by the script: use budget__max_steps instead."),
        (
            {"data__changed": "accept"},
            "data__changed='accept' is for a run that goes on with other data: give it with ",
        ),
        (
            {"model/cell": "time_lstm"},
            "The option **{'model/cell': 'time_lstm'} does not exist: did you mean **{'model/gap_cell': 'time_lstm'}? ",
        ),
        (
            {"seed": float("nan")},
            "seed must be a number, a text, a switch, None, or a list or dict of them, but is n",
        ),
        ({"seed": object}, "seed must be a number, a text, a switch, None, or a list or dict of them, but is <class"),
        ({"model": {1: 2}}, "model.1 must be the name of an option, but is of type int."),
    ],
)
def test_a_mistake_is_that_of_the_command_line(keywords, message):
    with pytest.raises(UserError) as error:
        config_of(**keywords)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("script", ["translate", "evaluate", "score", "forecast", "interpret"])
def test_names_that_do_not_exist_are_answered_with_keywords_that_the_caller_takes(script):
    with pytest.raises(UserError) as error, called(script, {"xyzzy": 1}, ("run", "device", "data", "file")):
        pass
    start, _, listed = str(error.value).partition(f"does not exist: {script} takes ")
    assert start == "The option 'xyzzy' "
    names = listed.removesuffix(".").split(", ")
    assert {"decoding", "seed", "batch_size"} & {*names}
    assert not {"run", "device", "data", "file"} & {*names}
    assert all(name.isidentifier() for name in names)
    with pytest.raises(UserError) as error, called(script, {"devic": 1}, ("device",)):
        pass
    assert "'device'" not in str(error.value)


def test_a_word_of_others_is_answered_with_what_it_needs():
    with pytest.raises(UserError) as error, called("translate", {"run": "x", "beam_size": 3}):
        pass
    assert str(error.value) == (
        "The option 'beam_size' does not exist: did you mean 'decoding__beam_size', which needs decoding='beam' or "
        "decoding='diverse_beam'?"
    )


def test_what_a_choice_is_answered_with_is_an_argument_of_a_call():
    with pytest.raises(UserError) as error:
        config_of(**{"model/cell": "time_lstm"})
    meant = str(error.value).partition("did you mean ")[2].partition("?")[0]
    config = eval(f"config_of({meant})", {"config_of": config_of})
    assert config.model.gap_cell._target_.endswith(".TimeLSTMCell")


def test_what_is_asked_of_the_job_is_answered_by_the_call():
    assert not is_called()
    with called("train", {"seed": 2}):
        assert is_called()
        assert given_overrides() == ["seed=2"]
        assert sweep_folder() is None
    assert not is_called()


def test_calls_of_several_threads_do_not_meet_and_hydra_is_left_as_it_was():
    before = GlobalHydra.instance().hydra
    found = {}
    threads = [Thread(target=lambda n=n: found.update({n: config_of(seed=n).seed})) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: n for n in range(4)}
    assert GlobalHydra.instance().hydra is before
