"""Choices trained at equal parameters, and the table of what they reached."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hydra import compose, initialize_config_dir

from seq2seq.commands import compare as command
from seq2seq.commands.comparing import trained_runs
from seq2seq.commands.comparing.competition import Competition, Entries, Equality
from seq2seq.commands.comparing.contender import Contender, count_parameters, fit_sizes
from seq2seq.commands.comparing.equal_seconds import refuse_without_steps, with_equal_seconds
from seq2seq.commands.comparing.trained_runs import TrainedRun, scored, train_contender
from seq2seq.config.composition import composed
from seq2seq.config.contract import resolve
from seq2seq.config.places import CONF
from seq2seq.data.examples import Example, Splits
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.errors import UserError
from seq2seq.runs.choice_table import ScoredChoice, table_head, table_row
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.leaderboard import Row
from seq2seq.runs.run import build_model, train_tokenizers
from seq2seq.runs.settling import settle


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
    one = scored(contender, [run], "dev/wer", min)
    assert table_row(one, one) == "| model/cell=gru | 8, 16 | 12,345 | 200 | 40 | 30.00 |"
    assert table_row(scored(contender, [run], "dev/wer", max), one).endswith("| 40.00 |")
    slow = TrainedRun(logged[-1:], 90.0)
    assert "| not logged |" in table_row(scored(contender, [slow], "dev/wer", min), one)
    both = scored(contender, [run, slow], "dev/wer", min)
    assert table_row(both, both).endswith("| 200 | 40 | 32.50 \u00b1 31.77 |  |")
    assert command._place(3, ["model/cell=gru"], both, None) == Row(
        3, {"model/cell": "gru"}, [30.0, 35.0], "complete", 150.0
    )
    assert command._place(3, [], replace(both, along=500), "data.train_size").settings == {"data.train_size": 500}


def test_with_seeds_a_row_says_how_far_it_is_above_the_first():
    """By differences seed by seed: here 2 each time, though the seeds themselves are far apart."""
    first = ScoredChoice("a", (8, 16), 10, [10.0, 50.0], [1.0, 1.0], 4)
    other = replace(first, name="b", scores=[12.0, 52.0])
    assert table_row(other, first).endswith("| 32.00 \u00b1 254.12 | +2.00 \u00b1 0.00 |")
    assert table_row(first, other).endswith("| -2.00 \u00b1 0.00 |")
    head, rule = table_head("dev/wer", 2)
    assert head.endswith("| dev/wer, %, mean and 95 % of 2 seeds | above the first |")
    assert head.count("|") == rule.count("|") == table_row(other, first).count("|")
    assert other.report(first)["beside_the_first"] == {"mean": 2.0, "half_width": 0.0}


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
        (
            ["choices=['model.dropout=0.1 model.encoder.hidden_size=8']"],
            "choices must not hold model.encoder.hidden_size, which equal_parameters=true fits: add "
            "equal_parameters=false.",
        ),
        (
            ["choices=['model={encoder:{hidden_size:8}}']"],
            "choices must not hold model.encoder.hidden_size, which equal_parameters=true fits: add "
            "equal_parameters=false.",
        ),
        (
            ["choices=['task=\"a']"],
            "choices must be overrides, such as ['model.dropout=0.2'], but 'task=\"a' has a quotation without end.",
        ),
        (["groups=model/cell"], "groups must be a list, but is 'model/cell': write [model/cell]."),
        (["groups=[model/cell]", "options=lstm"], "options must be a list, but is 'lstm': write [lstm]."),
    ],
)
def test_mistakes_in_choices_are_told(config_of, overrides, message):
    with pytest.raises(UserError) as error:
        command._choices(config_of("compare", *overrides))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["along={data.train_size:[500]}"],
            "along must be one option and two values or more, such as {data.train_size: [500, 2000]}, but is "
            "{'data.train_size': [500]}.",
        ),
        (
            ["along={data.train_size:[500,500]}"],
            "along must be one option and two values or more, such as {data.train_size: [500, 2000]}, but is "
            "{'data.train_size': [500, 500]}.",
        ),
        (
            ["along={model.encoder.hidden_size:[8,16]}"],
            "along must not hold model.encoder.hidden_size, which equal_parameters=true fits: add "
            "equal_parameters=false.",
        ),
    ],
)
def test_mistakes_in_what_is_varied_are_told(config_of, overrides, message):
    with pytest.raises(UserError) as error:
        command._along(config_of("compare", *overrides))
    assert str(error.value) == message


def test_what_is_varied_is_an_option_and_its_values(config_of):
    assert command._along(config_of("compare")) is None
    found = command._along(config_of("compare", "along={model.encoder.hidden_size:[8,16]}", "equal_parameters=false"))
    assert found == ("model.encoder.hidden_size", [8, 16])


def test_equal_seconds_need_a_budget_of_steps(config_of):
    refuse_without_steps(config()["budget"])
    for own, value in (("max_minutes", "2"), ("until", "'07:30'")):
        with pytest.raises(UserError) as error:
            refuse_without_steps(config(f"budget.{own}={value}")["budget"])
        assert str(error.value) == (
            f"budget.{own} must be null with equal_seconds=true, which reckons each choice's steps from "
            f"budget.max_steps, but is {value.strip(chr(39))}: leave it out."
        )


def test_what_is_to_come_is_said():
    contenders = [Contender("a", [], 8, 16, 1, steps=40), Contender("b", [], 8, 16, 1)]
    minutes = [{"max_steps": None, "max_minutes": 1.5}] * 2
    assert Entries(contenders, [{"max_steps": 9, "max_minutes": None}] * 2, "dev/wer", False).left(0, 3) == (
        "40 steps each"
    )
    assert Entries(contenders, minutes, "dev/wer", False).left(0, 2) == "6 minutes of training left"
    assert Entries(contenders, minutes, "dev/wer", False).left(1, 2) == "3 minutes of training left"


def entries(folder, **choices):
    """What a comparison of tiny models on reversed strings would train."""
    equality = Equality(choices.pop("parameters", True), choices.pop("seconds", False), 2)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return Competition([*TINY, "threads=1", "precision=32-true"], choices, folder, equality).enter()


def test_sizes_are_as_given_where_parameters_need_not_be_equal(tmp_path):
    own = ["model.encoder.hidden_size=12", "model.decoder.hidden_size=24"]
    given = entries(tmp_path, a=[], b=own, parameters=False).contenders
    assert [(one.encoder_size, one.decoder_size) for one in given] == [(4, 8), (12, 24)]
    assert given[1].parameters > given[0].parameters
    fitted = entries(tmp_path, a=[], b=["model.encoder.num_layers=2"]).contenders[1]
    assert fitted.encoder_size < 12


@pytest.mark.parametrize("cell", ["gru", "elman"])
def test_what_is_trained_has_the_parameters_that_were_fitted(tmp_path, cell):
    sizes = ["model.encoder.hidden_size=64", "model.decoder.hidden_size=128", "model.decoder.feature_size=auto"]
    shared = [*TINY, *sizes, "threads=1", "precision=32-true"]
    choices = {"as it is": [], "other": [f"model/cell={cell}"]}
    with initialize_config_dir(str(CONF), version_base="1.3"):
        one, other = Competition(shared, choices, tmp_path, Equality(True, False, 2)).enter().contenders
        trained = composed("train", other.command)
        settled, tokenizers = settle(trained, load_splits(trained), train_tokenizers, says=False)
    assert count_parameters(settled, tokenizers) == other.parameters
    assert abs(other.parameters - one.parameters) < 0.02 * one.parameters


def test_equal_seconds_are_steps_by_the_speed_that_was_measured_once(tmp_path):
    choices = {"a": [], "b": ["model.encoder.num_layers=4", "model.decoder.num_layers=4"]}
    first = entries(tmp_path, parameters=False, seconds=True, **choices).contenders
    shares = json.loads((tmp_path / "speeds.json").read_text())
    assert set(shares) == {"a", "b"}
    assert shares["b"] < 1  # eight layers beside two
    assert [one.steps for one in first] == [max(1, round(4 * share)) for share in shares.values()]
    (tmp_path / "speeds.json").write_text('{"a": 1.0, "b": 0.5}')
    again = entries(tmp_path, parameters=False, seconds=True, **choices).contenders
    assert [one.command[-1] for one in again] == ["budget.max_steps=4", "budget.max_steps=2"]


@pytest.mark.parametrize("left", ['{"a": 1.0}', '{"a": 1.0, "b": 0.0}', '{"a": 1.0, "b": "fast"}'])
def test_speeds_of_other_choices_are_refused(tmp_path, tokenizers, left):
    (tmp_path / "speeds.json").write_text(left)
    contenders, file = [Contender(name, [], 8, 16, 1) for name in "ab"], tmp_path / "speeds.json"
    with pytest.raises(UserError) as error:
        with_equal_seconds(contenders, {}, {}, (Splits([], []), tokenizers), rounds=1, file=file)
    assert str(error.value) == f"{file} holds the speeds of other choices: choose another folder=, or remove it."


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
    assert header == "| choice | hidden sizes | parameters | target tokens/s | steps | dev/exact_match, % |"
    assert rule == "|---|---|---|---|---|---|"
    assert [row.split(" | ")[0] for row in rows] == ["| model/cell=gru", "| model/cell=lstm"]
    assert all(" | 4 | " in row for row in rows)
    record = json.loads((tmp_path / "out" / "choices.json").read_text())
    assert [one["name"] for one in record["choices"]] == ["model/cell=gru", "model/cell=lstm"]
    assert (tmp_path / "out" / "choices.png").read_bytes()[1:4] == b"PNG"
    written = (tmp_path / "out" / "model.cell.gru" / "metrics.json").stat().st_mtime_ns
    again = compare(*TINY, "groups=[model/cell]", "options=[gru,lstm]", "folder=out", folder=tmp_path)
    assert again.stdout == first.stdout
    assert (tmp_path / "out" / "model.cell.gru" / "metrics.json").stat().st_mtime_ns == written


def test_a_done_run_of_other_overrides_is_not_taken_for_this_one(tmp_path):
    (tmp_path / "metrics.json").write_text("{}")
    (tmp_path / "command.txt").write_text("scripts/train.py model/cell=gru budget.max_minutes=1\n")
    with pytest.raises(UserError) as error:
        train_contender(Contender("model/cell=gru", ["model/cell=gru", "budget.max_minutes=5"], 8, 16, 1), tmp_path)
    assert str(error.value) == f"{tmp_path} holds a run of other overrides: choose another folder=, or remove it."


def test_a_run_has_the_steps_that_it_counted(tmp_path):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "metrics.csv").write_text("dev/wer,step\n9.0,1499\n9.0,1500\n")
    sizes = "model.encoder.hidden_size=8 model.decoder.hidden_size=16"
    (tmp_path / "command.txt").write_text(f"scripts/train.py {sizes} logger=csv\n")
    for record, steps in (({"last_step": 1500}, 1500), ({"cost": {"steps": 1500}}, 1500), ({"last_step": "x"}, 1501)):
        (tmp_path / "metrics.json").write_text(json.dumps({"training_seconds": 1.0, **record}))
        assert train_contender(Contender("x", [], 8, 16, 1), tmp_path).steps("dev/wer") == steps


def test_a_run_that_did_not_end_is_told(tmp_path):
    (tmp_path / "config.yaml").write_text("{}")
    with pytest.raises(UserError) as error:
        train_contender(Contender("model/cell=gru", [], 8, 16, 1), tmp_path)
    assert str(error.value) == f"{tmp_path} holds a run that did not end: remove it to train model/cell=gru again."


@pytest.mark.parametrize("where", ["metrics/metrics.csv", "metrics.json"])
@pytest.mark.parametrize(
    "damage", ["step\nx\n", "step,dev/wer\n1,2,3\n", "dev/wer\n1\n", "", "[1]", "step,dev/wer\n1,a\n"]
)
def test_damaged_records_of_a_done_run_are_one_line(tmp_path, where, damage):
    done = Contender("x", [], 8, 16, 1)
    sizes = "model.encoder.hidden_size=8 model.decoder.hidden_size=16"
    folder = tmp_path / "x"
    (folder / "metrics").mkdir(parents=True)
    (tmp_path / "x.command.txt").write_text(f"scripts/train.py {sizes} logger=csv\n")
    (folder / "metrics" / "metrics.csv").write_text("dev/wer,step\n9.0,1499\n")
    (folder / "metrics.json").write_text(json.dumps({"training_seconds": 1.0, "cost": [1]}))
    assert train_contender(done, folder).steps("dev/wer") == 1500
    (folder / where).write_text(damage)
    with pytest.raises(UserError, match=r"is damaged: it|must have logged dev/wer"):
        scored(done, [train_contender(done, folder)], "dev/wer", min)


def test_a_run_that_was_killed_goes_on_and_one_of_other_overrides_does_not(tmp_path, monkeypatch):
    asked, folder = [], tmp_path / "x"

    def killed(contender, folder, words):
        asked.append(words)
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        if len(asked) == 2:
            (folder / "checkpoints" / "last.ckpt").write_bytes(b"")
        if len(asked) < 4:
            raise UserError("killed by SIGKILL")
        (folder / "metrics").mkdir()
        (folder / "metrics" / "metrics.csv").write_text("dev/wer,step\n9.0,1499\n")
        (folder / "metrics.json").write_text(json.dumps({"training_seconds": 1.0}))

    monkeypatch.setattr(trained_runs, "_train", killed)
    one, other = Contender("x", ["seed=1"], 8, 16, 1), Contender("x", ["seed=2"], 8, 16, 1)
    for _ in range(3):
        with pytest.raises(UserError, match="killed by SIGKILL"):
            train_contender(one, folder)
        with pytest.raises(UserError, match="holds a run that did not end: remove it to train x again"):
            train_contender(other, folder)
    assert train_contender(one, folder).seconds == 1.0
    assert train_contender(one, folder).seconds == 1.0
    whole = [*one.command, "logger=csv"]
    assert asked == [whole, whole, ["resume=true"], ["resume=true"]]
    with pytest.raises(UserError, match="holds a run of other overrides"):
        train_contender(other, folder)


@pytest.mark.slow
def test_a_table_for_each_value_of_what_is_varied(tmp_path):
    varied = ["choices=['model/cell=gru']", "along={data.train_size:[32,64]}", "seeds=2", "budget.max_steps=2"]
    result = compare(*TINY, *varied, "folder=out", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    first, second, board = result.stdout.split("data.train_size=64\n")[0:1] + result.stdout.split("\n\n")[-3:-1]
    assert first.startswith("data.train_size=32\n\n| choice |")
    assert "| model/cell=gru |" in second
    assert "model/cell=gru data.train_size=32 |" in board
    assert board.count("data.train_size=64") == 2
    record = json.loads((tmp_path / "out" / "choices.json").read_text())
    assert record["along"] == "data.train_size"
    assert [(one["along"], one["name"]) for one in record["choices"]] == [
        (size, name) for size in (32, 64) for name in ("as it is", "model/cell=gru")
    ]
    assert all(len(one["scores"]) == 2 for one in record["choices"])


@pytest.mark.slow
def test_a_run_that_fails_is_told_with_its_last_line(tmp_path):
    given = [*TINY, "groups=[model/attention]", "options=[dot]", "model.decoder.hidden_size=12", "folder=out"]
    result = compare(*given, folder=tmp_path)
    assert result.returncode == 2
    assert "Dot attention needs queries as wide as the memory" in result.stderr.splitlines()[-1]
