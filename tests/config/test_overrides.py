"""Any text can be given on the command line, and what is printed to be pasted means what it says."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.config.overrides import command, one_value, override, parsed, readable, sweep_into
from seq2seq.errors import UserError

TEXTS = ["ευρώπη", "naïve", "it's", "josé.tsv", "a=b", "run (1)", "a#b", "größe", 'a"b', "a;b", "[", "a\\'"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("key", ["text", "+data.train", "data.train", "model/cell@kinds.lstm"])
def test_a_value_that_hydra_cannot_read_is_quoted(text, key):
    assert parsed(f"{key}={text}") is None
    assert parsed(readable(f"{key}={text}")).value() == text


@pytest.mark.parametrize(
    "argument",
    [
        "seed=1",
        "model=luong",
        "a=[1,2]",
        "a={b: c}",
        "text='x y'",
        "seed=1,2",
        "data.train=a b/c d.tsv",
        "~a.b",
        "--multirun",
        "ευρώπη",
    ],
)
def test_all_else_stays_as_it_is(argument):
    assert readable(argument) == argument


NUMBERS = ["1.10", "2026_11_30", "1e3", "007", "1_000", "-5", "+1", "nan", "inf", "true", "False", "0x", "5"]


@pytest.mark.parametrize("text", NUMBERS)
@pytest.mark.parametrize(
    "key",
    [
        *("run", "run_dir", "out", "in", "file", "text", "task", "target"),
        *(
            "data.train",
            "data.dev",
            "data.test",
            "data.parts.a.train",
            "watch.file",
            "watch.reference",
            "distill.sources",
        ),
        *("+file", "+data.dev", "++data.train", "++data.parts.a.test"),
    ],
)
def test_a_name_that_looks_like_a_number_or_a_switch_stays_a_name(text, key):
    assert parsed(readable(f"{key}={text}")).value() == text
    assert readable(readable(f"{key}={text}")) == readable(f"{key}={text}")


def test_so_do_names_in_a_list_and_nothing_is_no_name():
    assert parsed(readable("run=[2026_11_29, 1.10,a]")).value() == ["2026_11_29", "1.10", "a"]
    assert parsed(readable("run=null")).value() is None
    assert parsed(readable("data.dev=null")).value() is None
    assert parsed(readable("seed=1_000")).value() == 1000
    assert parsed(readable("data.target=2")).value() == 2  # a column by its number
    assert parsed(readable("objective.reference=true")).value() is True
    assert parsed(readable("budget.max_minutes=1e3")).value() == 1000.0


def test_home_is_found_inside_of_an_argument(monkeypatch):
    monkeypatch.setenv("HOME", "/home/josé")
    assert parsed(readable("data.train=~/x.tsv")).value() == "/home/josé/x.tsv"
    assert parsed(readable("run=[~/a,b]")).value() == ["/home/josé/a", "b"]


def test_every_value_of_a_list_and_of_a_sweep_is_quoted_for_itself():
    assert parsed(readable("run=[größe, b=c,d]")).value() == ["größe", "b=c", "d"]
    sweep = parsed(readable("data.train=josé.tsv,b.tsv", multirun=True))
    assert list(sweep.sweep_string_iterator()) == ["'josé.tsv'", "b.tsv"]
    assert parsed(readable("text=Hello, wörld")).value() == "Hello, wörld"
    for texts in (["1.10", "2026_11_30", "a"], ["true", "1.10"]):
        sweep = parsed(readable(f"data.train={','.join(texts)}", multirun=True))
        assert [parsed(f"key={own}").value() for own in sweep.sweep_string_iterator()] == texts


@pytest.mark.parametrize("default", [None, "???"])
def test_a_free_text_may_have_commas(default):
    argument = one_value("text=Hello, world", {"text": default})
    assert parsed(argument).value() == "Hello, world"


@pytest.mark.parametrize(
    ("argument", "defaults"),
    [
        ("seed=1,2", {"seed": 1}),
        ("model=luong,gnmt", {"model": {}}),
        ("budget.max_steps=1,2", {"budget.max_steps": None}),
        ("task=a,b", {"task": "reverse"}),
        ("unknown=a,b", {}),
        ("seed=range(1,3)", {"seed": 1}),
    ],
)
def test_several_values_name_multirun_and_how_to_quote(argument, defaults):
    key, _, value = argument.partition("=")
    with pytest.raises(UserError) as error:
        one_value(argument, defaults)
    assert str(error.value).startswith(f"{argument} holds several values to try: add --multirun to run with each")
    assert str(error.value).endswith(f"""needs quotes: "{key}='{value}'".""")


@pytest.mark.parametrize("argument", ["seed=1", "probe=[0,1]", "text='a,b'"])
def test_one_value_stays_as_it_is(argument):
    assert one_value(argument, {"text": None}) == argument


@pytest.mark.parametrize("argument", ["run_dir=a,b", "run_dir=runs/${seed}"])
def test_the_folder_of_a_sweep_is_one(argument):
    with pytest.raises(UserError) as error:
        sweep_into(argument)
    assert str(error.value) == (
        f"{argument} must be one folder with --multirun, in which every job has its own: give one, "
        "and hydra.sweep.subdir for names of your own."
    )


def test_the_folder_of_a_sweep_is_that_of_its_jobs():
    assert sweep_into("run_dir='a b'") == "hydra.sweep.dir='a b'"
    assert sweep_into("seed=1,2") == "seed=1,2"


@settings(deadline=None, max_examples=150)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0$"), min_size=1))
def test_what_is_printed_means_the_text_whatever_is_in_it(text):
    (word,) = shlex.split(override("run", text))
    assert parsed(readable(word)).value() == text


def test_a_plain_text_is_printed_plainly():
    assert override("run", "runs/a-b/2026_1.x") == "run=runs/a-b/2026_1.x"
    assert command("my scripts/translate.py", ["run=x"]) == "python 'my scripts/translate.py' run=x"


@pytest.mark.parametrize("folder", ["a b=c", "(1)", "a,b", "it's", "a#b", "~x", "größe", "1", "null", "[a]"])
def test_a_folder_is_printed_as_it_has_to_be_typed(folder):
    (word,) = shlex.split(override("run_dir", folder))
    assert Path(parsed(readable(word)).value()) == Path(folder)


@pytest.mark.parametrize(
    ("argument", "meant"),
    [
        ("optimizer.lr=0,001", "a number has a point and no comma: optimizer.lr=0.001."),
        ("model.dropout=0,3", "a number has a point and no comma: model.dropout=0.3."),
        ("budget.max_steps=12,000", "a number has no comma: budget.max_steps=12000."),
        ("budget.max_steps=1,200,000", "a number has no comma: budget.max_steps=1200000."),
    ],
)
def test_a_comma_inside_of_a_number_is_told(argument, meant):
    with pytest.raises(UserError) as error:
        one_value(argument, {argument.partition("=")[0]: "auto"})
    assert str(error.value).endswith(f"or give one value; {meant}")
