"""Training for wait-k, writing while reading, and its scores, by whole runs."""

import json
from pathlib import Path

import pytest
from kept_runs import last, same
from line_streams import build_stream

from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.training.mistakes import refuse_mistakes
from seq2seq.commands.translate import build_live_stream
from seq2seq.errors import UserError

RUN = ["averaging.decay=0.5", "trainer.val_check_interval=10", "budget.max_steps=24"]
ONE_WAY = ["model.encoder.direction=forward", "model.encoder.hidden_size=8", "model/ngrams=none"]
WAITING = [*ONE_WAY, "model/waiting=wait_k", "model.waiting.lowest=2", "model.waiting.highest=4"]


@pytest.fixture(scope="module")
def folder(train_tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("waiting")
    train_tiny(folder, *RUN, *WAITING)
    return folder


def test_waiting_changes_the_result_and_goes_on_to_the_bit(train_tiny, tmp_path, folder, interrupt_at):
    train_tiny(tmp_path / "plain", *RUN, *ONE_WAY)
    assert not same(last(folder), last(tmp_path / "plain"))
    interrupt_at(11)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / "parted", *RUN, *WAITING)
    train_tiny(tmp_path / "parted", *RUN, *WAITING, resume=True)
    assert same(last(tmp_path / "parted"), last(folder))


def test_a_run_that_waits_for_all_answers_as_it_does_offline(config_of, folder):
    lines = [b"a b c\n", b"d d a b e\n", b"f\n"]
    options = [f"run={folder}", "device=cpu"]
    offline = list(build_stream(config_of("translate", *options))(lines))
    waiting = build_live_stream(config_of("translate", *options, "simultaneous=wait_k", "simultaneous.k=50"))
    assert "".join(waiting(lines)).splitlines() == offline


def test_scores_and_lags_of_several_k(config_of, folder, tmp_path):
    picture = tmp_path / "latency.svg"
    report = evaluate_run(
        config_of(
            "evaluate",
            f"run={folder}",
            "device=cpu",
            "split=dev",
            "simultaneous=wait_k",
            "simultaneous.k=[1,50]",
            "bootstrap=0",
            f"picture={picture}",
        )  # fmt: skip
    )
    json.dumps(report)
    first, whole = report["simultaneous"]
    assert [first["k"], whole["k"]] == [1, 50]
    assert whole["scores"] == report["offline"]["scores"]
    assert first["latency"]["al"] < whole["latency"]["al"]
    assert whole["latency"]["ap"] == 1.0
    assert picture.stat().st_size > 1000


def mistake(tiny_config, *overrides) -> str:
    with pytest.raises(UserError) as error:
        refuse_mistakes(tiny_config(*overrides), Path("unused"))
    return str(error.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["model/waiting=wait_k", "model/ngrams=none"],
            "model.encoder must read on where waiting is on: direction must be forward, or block_size a number of "
            "steps, for streams: with direction=both a layer reads each sequence from its end.",
        ),
        (
            [*WAITING, "scheduled_sampling=linear"],
            "model.waiting must be none with scheduled_sampling, which predicts from whole sources: leave one out.",
        ),
        (
            [*WAITING, "truncation=window"],
            "model.waiting must be none with truncation, whose windows do not begin where targets do: leave one out.",
        ),
        (
            [*WAITING, "objective=minimum_risk"],
            "model.waiting must be none with MinimumRisk, which judges what is said of whole sources: leave one out.",
        ),
    ],
    ids=str,
)
def test_what_does_not_go_with_waiting_is_refused(tiny_config, overrides, message):
    assert mistake(tiny_config, *overrides) == message


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["n_best=2"], "n_best must be 1 with simultaneous, which has no whole lines, but is 2."),
        (
            ["pieces.forbidden=[a]"],
            "pieces.forbidden must be as it is by default with simultaneous, whose words are said before a search.",
        ),
        (
            ["decoding.filters.no_repeat_ngram=2"],
            "decoding.filters must be as it is by default with simultaneous, whose words are said before a search.",
        ),
        (
            ["input=json"],
            "input and format must both be text, or json for several streams, with simultaneous, but are json and "
            "text.",
        ),
    ],
)
def test_options_of_whole_lines_are_refused(config_of, folder, overrides, message):
    with pytest.raises(UserError) as error:
        build_live_stream(config_of("translate", f"run={folder}", "simultaneous=wait_k", *overrides))
    assert str(error.value) == message


def test_lists_of_policies_are_checked(config_of, folder):
    for overrides, message in (
        (["simultaneous.k=[]"], "simultaneous.k must hold a value, but is empty."),
        (["simultaneous.k=[1,2]", "simultaneous.window=[1,2]"], "simultaneous must have one option with a list"),
        (["picture=latency.txt"], "picture must end in .png, .svg, .pdf, but is latency.txt."),
    ):
        with pytest.raises(UserError) as error:
            evaluate_run(config_of("evaluate", f"run={folder}", "split=dev", "simultaneous=wait_k", *overrides))
        assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["simultaneous=wait_k", "compare=true"],
            "compare must be false with simultaneous, which scores the policies of one run.",
        ),
        (["picture=a.png"], "picture needs simultaneous, whose lags it shows, but is a.png without it."),
        (
            ["simultaneous=wait_k", "replace_unknown=true"],
            "replace_unknown must be false with simultaneous, which has no whole lines, but is True.",
        ),
    ],
)
def test_evaluation_refuses_what_would_be_deaf(config_of, folder, overrides, message):
    with pytest.raises(UserError) as error:
        evaluate_run(config_of("evaluate", f"run={folder}", "split=dev", "device=cpu", *overrides))
    assert str(error.value) == message
