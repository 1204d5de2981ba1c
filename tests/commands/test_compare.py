"""Choices trained at equal parameters, and the table of what they reached."""

import json
import os
import subprocess
import sys

import pytest
from hydra import compose, initialize_config_dir

from seq2seq.commands import compare as command
from seq2seq.commands.compare import Contender, TrainedRun, count_parameters, fit_sizes
from seq2seq.config.contract import resolve
from seq2seq.config.places import CONF
from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.errors import UserError
from seq2seq.runs.leaderboard import Row
from seq2seq.runs.run import build_model


@pytest.fixture(scope="module")
def tokenizers():
    examples = [Example(text, (text[::-1],)) for text in ("a b c", "d e f", "g h")]
    return TokenizerTrainer(source="word", target="word").train(examples)


def config(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return resolve(compose("train", ["experiment=reverse", *overrides]))


def test_parameters_counted_are_those_of_the_model(tokenizers):
    plain = config("model/cell=gru")
    expected = sum(parameter.numel() for parameter in build_model(plain, tokenizers).parameters())
    assert count_parameters(plain, tokenizers) == expected


def test_what_is_configured_keeps_its_sizes(tokenizers):
    plain = config()
    contender = fit_sizes("as it is", [], plain, tokenizers, count_parameters(plain, tokenizers))
    assert (contender.encoder_size, contender.decoder_size) == (64, 128)


@pytest.mark.parametrize("cell", ["elman", "lstm_low_rank"])
def test_sizes_of_others_are_the_nearest_in_parameters(tokenizers, cell):
    wanted = count_parameters(config(), tokenizers)
    plain = config(f"model/cell={cell}")
    contender = fit_sizes(cell, ["one=1"], plain, tokenizers, wanted)
    assert contender.decoder_size == 2 * contender.encoder_size
    for neighbour in (contender.encoder_size - 4, contender.encoder_size + 4):
        sized = [f"model.encoder.hidden_size={neighbour}", f"model.decoder.hidden_size={2 * neighbour}"]
        try:
            other = count_parameters(config(f"model/cell={cell}", *sized), tokenizers)
        except UserError:  # below the rank
            continue
        assert abs(contender.parameters - wanted) <= abs(other - wanted)
    sized = config(f"model/cell={cell}", *contender.command[1:])
    assert count_parameters(sized, tokenizers) == contender.parameters
    assert contender.command[0] == "one=1"


def test_a_row_has_the_best_score_and_the_median_speed():
    contender = Contender("model/cell=gru", [], 8, 16, 12345)
    speed = "train/target_tokens_per_second"
    logged = [
        {"step": "9", speed: "100.0", "dev/wer": ""},
        {"step": "19", speed: "900.0", "dev/wer": "40.0"},
        {"step": "29", speed: "200.0", "dev/wer": "30.0"},
        {"step": "39", speed: "", "dev/wer": "35.0"},
    ]
    run = TrainedRun(logged, 60.0)
    row = command._row(contender, [run], "dev/wer", best=min)
    assert row == "| model/cell=gru | 8, 16 | 12,345 | 200 | 40 | 30.00 |"
    assert command._row(contender, [run], "dev/wer", best=max).endswith("| 40.00 |")
    slow = TrainedRun(logged[-1:], 90.0)
    assert "| not logged |" in command._row(contender, [slow], "dev/wer", best=min)
    assert command._row(contender, [run, slow], "dev/wer", best=min).endswith("| 200 | 40 | 32.50 |")
    assert command._place(3, ["model/cell=gru"], [run, slow], "dev/wer", best=min) == Row(
        3, {"model/cell": "gru"}, [30.0, 35.0], "complete", 150.0
    )


MISTAKES = [
    (["model/sell"], None, "groups must name groups of conf/, but there is no 'model/sell': for example model/cell."),
    (
        ["model/cell", "model/attention"],
        ["lstm", "lstn"],
        "options must be options of model/cell, model/attention, but lstn is not: leave them out for all.",
    ),
]


@pytest.mark.parametrize(("groups", "options", "message"), MISTAKES)
def test_mistakes_are_told(groups, options, message):
    with pytest.raises(UserError) as error:
        command._names(groups, options)
    assert str(error.value) == message


def test_choices_are_overrides_beside_the_config_as_it_is(config_of):
    choices = ["model.dropout=0.2", "model.dropout=0.2 averaging.decay=0.9"]
    found = command._choices(config_of("compare", f"choices={choices}"))
    assert found == {
        "as it is": [],
        "model.dropout=0.2": ["model.dropout=0.2"],
        "model.dropout=0.2 averaging.decay=0.9": ["model.dropout=0.2", "averaging.decay=0.9"],
    }
    assert set(command._choices(config_of("compare", "options=[lstm,dot]"))) == {
        "model/cell=lstm",
        "model/attention=dot",
    }


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["choices=[]"], "choices must be overrides, such as ['model.dropout=0.2'], but nothing is none."),
        (["choices=[gru]"], "choices must be overrides, such as ['model.dropout=0.2'], but gru is none."),
        (
            ["choices=['seed=2']", "groups=[model/cell]"],
            "choices must be given without groups and options: leave the one or the others out.",
        ),
    ],
)
def test_mistakes_in_choices_are_told(config_of, overrides, message):
    with pytest.raises(UserError) as error:
        command._choices(config_of("compare", *overrides))
    assert str(error.value) == message


def compare(*overrides, folder):
    arguments = [sys.executable, str(CONF.parent / "scripts" / "compare.py"), *overrides]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(arguments, cwd=folder, env=alone, capture_output=True, text=True, check=False, timeout=300)


TINY = [
    "experiment=reverse",
    *("data.train_size=64", "data.dev_size=6", "data.test_size=6", "data.alphabet_size=6", "data.max_length=5"),
    *("model.embedding_size=8", "model.encoder.hidden_size=4", "model.decoder.hidden_size=8"),
    *("model.decoder.feature_size=8", "batches.max_tokens=64", "budget.max_steps=4", "trainer.val_check_interval=2"),
]


@pytest.mark.slow
def test_a_table_has_a_row_for_each_choice_and_done_runs_are_kept(tmp_path):
    first = compare(*TINY, "groups=[model/cell]", "options=[gru,lstm]", "folder=out", folder=tmp_path)
    assert first.returncode == 0, first.stderr
    table, _, board = first.stdout.partition("\n\n")
    assert (tmp_path / "out" / "leaderboard.md").read_text(encoding="utf-8") == board
    assert board.endswith("\n\n2 trials of 1 seed.\n")
    header, rule, *rows = table.splitlines()
    assert header == "| choice | hidden sizes | parameters | target tokens/s | steps | dev/exact_match |"
    assert rule == "|---|---|---|---|---|---|"
    assert [row.split(" | ")[0] for row in rows] == ["| model/cell=gru", "| model/cell=lstm"]
    assert all(" | 4 | " in row for row in rows)
    written = (tmp_path / "out" / "model.cell.gru" / "metrics.json").stat().st_mtime_ns
    again = compare(*TINY, "groups=[model/cell]", "options=[gru,lstm]", "folder=out", folder=tmp_path)
    assert again.stdout == first.stdout
    assert (tmp_path / "out" / "model.cell.gru" / "metrics.json").stat().st_mtime_ns == written


def test_a_done_run_of_other_overrides_is_not_taken_for_this_one(tmp_path):
    (tmp_path / "metrics.json").write_text("{}")
    (tmp_path / "command.txt").write_text("scripts/train.py model/cell=gru budget.max_minutes=1\n")
    with pytest.raises(UserError) as error:
        command._train(Contender("model/cell=gru", ["model/cell=gru", "budget.max_minutes=5"], 8, 16, 1), tmp_path)
    assert str(error.value) == f"{tmp_path} holds a run of other overrides: choose another folder=, or remove it."


def test_a_run_has_the_steps_that_it_counted(tmp_path):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "metrics.csv").write_text("dev/wer,step\n9.0,1499\n9.0,1500\n")
    sizes = "model.encoder.hidden_size=8 model.decoder.hidden_size=16"
    (tmp_path / "command.txt").write_text(f"scripts/train.py {sizes} logger=csv\n")
    for record, steps in (({"cost": {"steps": 1500}}, 1500), ({}, 1501)):
        (tmp_path / "metrics.json").write_text(json.dumps({"training_seconds": 1.0, **record}))
        assert command._train(Contender("x", [], 8, 16, 1), tmp_path).steps("dev/wer") == steps


def test_a_run_that_did_not_end_is_told(tmp_path):
    (tmp_path / "config.yaml").write_text("{}")
    with pytest.raises(UserError) as error:
        command._train(Contender("model/cell=gru", [], 8, 16, 1), tmp_path)
    assert str(error.value) == f"{tmp_path} holds a run that did not end: remove it to train model/cell=gru again."


@pytest.mark.slow
def test_a_run_that_fails_is_told_with_its_last_line(tmp_path):
    given = [*TINY, "groups=[model/attention]", "options=[dot]", "model.decoder.hidden_size=12", "folder=out"]
    result = compare(*given, folder=tmp_path)
    assert result.returncode == 2
    assert "Dot attention needs queries as wide as the memory" in result.stderr.splitlines()[-1]
