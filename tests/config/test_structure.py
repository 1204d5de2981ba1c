"""Groups take the names of options, and parts of the config options of their own: another value is told in one line."""

import pytest

import seq2seq
from seq2seq.config.structure import refuse_values_of_groups, refuse_values_of_parts
from seq2seq.errors import UserError


@pytest.mark.parametrize(
    ("script", "override", "shown", "options"),
    [
        ("train", "optimizer=0.1", "0.1", "adafactor, adam, adamw, muon, sgd"),
        ("train", "model=12", "12", "auto, bahdanau, gnmt, "),
        ("train", "data=5", "5", "brackets, cmudict, copy, "),
        ("train", "trainer=1", "1", "auto, ddp, "),
        ("train", "hydra=1", "1", "script"),
        ("train", "experiment=1", "1", "comparison, "),
        ("train", "logger=true", "True", "csv, "),
        ("train", "callbacks=false", "False", "default, early_stopping, none"),
        ("train", "model/cell=3", "3", "conv_lstm, "),
        ("train", "schedule=[]", "[]", "constant, "),
        ("train", "schedule=[cosine,1]", "['cosine', 1]", "constant, "),
        ("evaluate", "decoding=5", "5", "beam, "),
        ("evaluate", "metrics=5", "5", "auto, characters, "),
        ("evaluate", "data=1.5", "1.5", "brackets, cmudict, "),
        ("translate", "rerank=true", "True", "language_model, mbr, none"),
    ],
)
def test_a_group_takes_names_of_options_alone(mistake, script, override, shown, options):
    group = override.partition("=")[0]
    said = mistake(script, "run=x", override) if script != "train" else mistake(script, override)
    assert said.startswith(f"{group} must be one of {options}")
    assert said.endswith(f", but is {shown}: single values are set as {group.replace('/', '.')}.NAME=VALUE.")


@pytest.mark.parametrize(
    ("script", "override"),
    [("translate", "model.dropout=0.5"), ("evaluate", "optimizer.lr=3"), ("score", "data.train=x")],
)
def test_an_option_of_a_group_that_another_script_has_is_not_said_to_need_it(mistake, script, override):
    said = mistake(script, "run=x", override)
    assert said.startswith(f"The option {override.partition('=')[0]!r} does not exist: ")


def test_a_group_that_another_script_has_is_unknown_whatever_it_is_given(mistake):
    assert mistake("evaluate", "run=x", "optimizer=3").startswith("The option 'optimizer' does not exist")


def test_a_group_is_told_of_when_a_run_is_resumed_and_in_a_sweep_too(mistake):
    assert mistake("train", "run_dir=x", "resume=true", "hydra=1").startswith("hydra must be one of script, but is 1")
    for arguments in (["--multirun", "optimizer=adam,3"], ["seed=1", "--multirun", "optimizer=adam,3"]):
        assert mistake("train", *arguments).startswith("optimizer must be one of adafactor, ")


@pytest.mark.parametrize(
    ("script", "override", "message"),
    [
        ("train", "budget=5", "budget must be options of its own, such as budget.max_steps=..., but is 5."),
        ("train", "budget=null", "budget must be options of its own, such as budget.max_steps=..., but is None."),
        ("train", "batches=300", "batches must be options of its own, such as batches.max_tokens=..., but is 300."),
        ("train", "batches=null", "batches must be options of its own, such as batches.max_tokens=..., but is None."),
        ("train", "averaging=0.9", "averaging must be options of its own, such as averaging.kind=..., but is 0.9."),
        ("train", "averaging=ema", "averaging must be options of its own, such as averaging.kind=..., but is 'ema'."),
        ("train", "averaging=null", "averaging must be options of its own, such as averaging.kind=..., but is None."),
        ("train", "text=nfkc", "text must be options of its own, such as text.form=..., but is 'nfkc'."),
        ("train", "text=null", "text must be options of its own, such as text.form=..., but is None."),
        ("train", "text=[3]", "text must be options of its own, such as text.form=..., but is ['3']."),
        ("train", "saving=5", "saving must be options of its own, such as saving.keep=..., but is 5."),
        ("train", "lr_finder=1", "lr_finder must be options of its own, such as lr_finder.steps=..., but is 1."),
        ("train", "monitor=null", "monitor must be options of its own, such as monitor.metric=..., but is None."),
        (
            "train",
            "callbacks.samples=5",
            "callbacks.samples must be options of its own, such as callbacks.samples.count=..., but is 5: null leaves "
            "it out.",
        ),
        (
            "train",
            "callbacks.early_stopping=true",
            "callbacks.early_stopping must be options of its own, but is True: null leaves it out.",
        ),
        ("train", "+callbacks.mine=5", "callbacks.mine must be options of its own, but is 5: null leaves it out."),
        (
            "train",
            "model.encoder=null",
            "model.encoder must be options of its own, such as model.encoder.hidden_size=..., but is None.",
        ),
        ("translate", "pieces=1", "pieces must be options of its own, such as pieces.forbidden=..., but is 1."),
        ("translate", "pieces=null", "pieces must be options of its own, such as pieces.forbidden=..., but is None."),
    ],
)
def test_a_part_takes_options_alone(mistake, script, override, message):
    assert mistake(script, "run=x", override) == message if script != "train" else mistake(script, override) == message


def test_a_part_that_is_a_group_is_told_how_it_is_chosen(mistake):
    said = mistake("train", "model.cell=gru")
    assert said.startswith("model.cell must be options of its own, such as model.cell.")
    assert said.endswith("=..., but is 'gru': choose an option of it by model/cell=NAME.")


@pytest.mark.parametrize("rates", ["0.1", "[encoder]", "slow"])
def test_rates_are_by_part(mistake, tiny_run, rates):
    said = mistake("train", *tiny_run, f"rates={rates}", "run_dir=run")
    assert said.startswith("rates must be multiples by part, as in rates={encoder:0.1}, but is ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["optimizer=adam", "experiment=[reverse,long]", "budget={max_steps: 3}", "model/cell=gru"],
        ["callbacks.samples=null", "callbacks.early_stopping=null", "callbacks=none", "logger=null"],
        ["trainer=ddp", "trainer.strategy=auto", "seed=3", "~callbacks.samples", "task=a b", "--multirun"],
        ["optimizer=adam,sgd", "seed=range(1,3)", "metrics.exact_match=null", "text=${text}"],
    ],
)
def test_what_can_be_is_let_through(monkeypatch, arguments):
    monkeypatch.setattr("sys.argv", ["train.py", *arguments])
    refuse_values_of_groups(arguments)
    refuse_values_of_parts(arguments)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"optimizer": 0.1}, "optimizer must be one of adafactor, "),
        ({"model": 12}, "model must be one of auto, "),
        ({"budget": 5}, "budget must be options of its own, such as budget.max_steps=..., but is 5."),
        ({"budget": None}, "budget must be options of its own, such as budget.max_steps=..., but is None."),
        ({"text": "nfc"}, "text must be options of its own, such as text.form=..., but is 'nfc'."),
        ({"callbacks": {"samples": True}}, "callbacks.samples must be options of its own, "),
    ],
)
def test_from_python_it_is_told_the_same(keywords, message):
    with pytest.raises(UserError) as error:
        seq2seq.train([("a", "b")], **keywords)
    assert str(error.value).startswith(message)
