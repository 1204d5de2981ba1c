"""The commands that say where gradients go, and how far cells remember."""

import json

import pytest

from seq2seq.commands.erosion import find_erosion
from seq2seq.commands.gradients import OF_CELLS, OF_RUNS, SEED, gradients
from seq2seq.commands.horizon import find_horizon
from seq2seq.commands.time_constants import find_time_constants
from seq2seq.errors import UserError
from seq2seq.runs.evaluation import load_examples
from seq2seq.runs.run import load_run

COMMANDS = {
    "gradients": gradients,
    "horizon": find_horizon,
    "erosion": find_erosion,
    "time_constants": find_time_constants,
}
BOTH = ("file=pairs.tsv", "split=train")
LONE = ("gradients", "horizon", "erosion")
LOOKING = ("gradients", "time_constants")
OWN = "+kinds.own={_target_:seq2seq.layers.recurrent.cells.lstm.LSTMCell,_partial_:true}"
NO_CELL = "+kinds.own={_target_:seq2seq.layers.recurrent.initialization.ForgetBias,_partial_:true}"
FRESH = ("cells=[lstm]", "hidden_size=4", "length=6")


@pytest.fixture
def asked(config_of, finished, tmp_path):
    """The record of a command: asked("gradients", "run=RUN")."""

    def run(name, *overrides):
        given = [text.replace("RUN", str(finished)) for text in overrides]
        return COMMANDS[name](config_of(name, f"out={tmp_path / 'out'}", *given))

    return run


def kept(tmp_path, name):
    return json.loads((tmp_path / "out" / f"{name}.json").read_text(encoding="utf-8"))


def test_gradients_of_a_run_are_of_every_cell_and_way(asked, tmp_path, capsys):
    record = asked("gradients", "run=RUN", "initial=true", "formats=[png,svg]", "device=cpu")
    cells = ["encoder 1 forward", "encoder 1 backward", "decoder 1"]
    names = [*cells, *(f"{name}, fresh" for name in cells)]
    found = [(curve["name"], curve["path"]) for curve in record["curves"]]
    assert found == [(name, path) for name in names for path in ("whole", "cell", "hidden")]
    assert [curve["loss"] for curve in record["curves"][::3]] == ["readout", "readout", "tokens"] * 2
    assert record["curves"][0]["hidden"] != record["curves"][9]["hidden"]
    assert kept(tmp_path, "gradients") == record
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["gradients.json", "gradients.png", "gradients.svg"]
    said = capsys.readouterr()
    assert "8 examples of dev" in said.err
    assert said.out == ""


def test_what_runs_or_cells_alone_have_is_the_config_s_own(config_of):
    config = config_of("gradients", "cells=[lstm]")
    for name, usual in {**OF_RUNS, **OF_CELLS, "seed": SEED}.items():
        assert config[name] == usual or (name == "data" and not config[name])


def test_without_a_limit_all_examples_are_read(asked, finished):
    given = ("run=RUN", "split=train", "device=cpu")
    data = asked("gradients", *given, "layers=[decoder.1]", "limit=null")["data"]
    assert data == f"{len(load_examples(load_run(finished), None, 'train')[1])} examples of train"


def test_runs_stand_side_by_side_and_losses_are_chosen(asked):
    record = asked(
        "gradients",
        "run=[RUN,RUN/checkpoints/best.ckpt]",
        "layers=[decoder.1]",
        "loss=readout",
        "limit=3",
        "device=cpu",
    )
    first, second = record["curves"][:3], record["curves"][3:]
    assert [curve["loss"] for curve in first] == ["readout"] * 3
    assert [curve["hidden"] for curve in first] == [curve["hidden"] for curve in second]
    assert first[0]["hidden"][0] == pytest.approx(1)


def test_gradients_of_fresh_cells_follow_the_forget_bias(asked):
    record = asked("gradients", "cells=[lstm,elman]", "forget_bias=[0,3]", "hidden_size=8", "length=12")
    rates = {(curve["name"], curve["path"]): curve["rate"] for curve in record["curves"]}
    assert list(dict.fromkeys(name for name, _ in rates)) == ["lstm, forget bias 0", "lstm, forget bias 3", "elman"]
    assert rates["lstm, forget bias 0", "cell"] < 0.7 < 0.85 < rates["lstm, forget bias 3", "cell"] < 1
    assert all(len(curve["hidden"]) == 13 for curve in record["curves"])


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("gradients", ("cells=[lstm]", "hidden_size=4", "length=6")),
        ("horizon", ("cells=[lstm]", "lengths=[2]", "seeds=1", "steps=1", "hidden_size=4")),
        ("erosion", ("cells=[lstm]", "steps=3", "hidden_size=2", "precisions=[float32]")),
    ],
)
def test_a_report_of_no_run_gets_a_number_where_there_is_one(config_of, tmp_path, monkeypatch, name, given):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        COMMANDS[name](config_of(name, *given))
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, f"{name}_2"]


def test_a_cell_of_ones_own_needs_no_initialization(asked, caplog):
    with caplog.at_level("INFO"):
        record = asked("gradients", "cells=[lstm,own]", OWN, "forget_bias=[0,3]", "hidden_size=4", "length=6")
    names = dict.fromkeys(curve["name"] for curve in record["curves"])
    assert list(names) == ["lstm, forget bias 0", "lstm, forget bias 3", "own"]
    assert "forget_bias: one row of own, whose initialization has no forget_bias" in caplog.text


def test_time_constants_are_of_every_unit(asked, tmp_path, capsys):
    record = asked("time_constants", "run=RUN", "device=cpu")
    assert [row["name"] for row in record["cells"]] == ["encoder 1 forward", "encoder 1 backward", "decoder 1"]
    assert record["examples"] == 8
    row = record["cells"][0]
    assert len(row["of_product"]["units"]) == len(row["of_mean"]["units"]) > 1
    assert row["of_product"]["quartiles"] == sorted(row["of_product"]["quartiles"])
    assert kept(tmp_path, "time_constants") == record
    assert (tmp_path / "out" / "time_constants.png").is_file()
    assert "on dev (8 examples)" in capsys.readouterr().err


def test_time_constants_of_some_cells_and_examples(asked):
    record = asked("time_constants", "run=RUN", "layers=[decoder.1]", "limit=2", "device=cpu")
    assert [row["name"] for row in record["cells"]] == ["decoder 1"]
    assert record["examples"] == 2


@pytest.mark.parametrize("name", ["gradients", "time_constants"])
def test_long_lines_are_left_out_and_told(asked, tmp_path, caplog, name):
    (tmp_path / "pairs.tsv").write_text("a b\tb a\na b c d e f\tf e d c b a\nc d\td c\n", encoding="utf-8")
    given = ("run=RUN", f"file={tmp_path / 'pairs.tsv'}", "layers=[decoder.1]", "device=cpu")
    record = asked(name, *given, "max_tokens=5")
    assert "1 of 3 lines have an empty source, or a source or target over max_tokens=5: left out" in caplog.messages
    (tmp_path / "pairs.tsv").write_text("a b\tb a\nc d\td c\n", encoding="utf-8")
    (tmp_path / "out").rename(tmp_path / "before")
    assert asked(name, *given) == record


@pytest.mark.parametrize("name", ["gradients", "time_constants"])
def test_targets_are_needed_where_the_decoder_is_looked_at_alone(asked, tmp_path, name):
    (tmp_path / "bare.tsv").write_text("a b\tb a\nb c\t\n", encoding="utf-8")
    given = ("run=RUN", f"file={tmp_path / 'bare.tsv'}", "device=cpu")
    with pytest.raises(UserError) as error:
        asked(name, *given)
    assert str(error.value) == (
        f"{tmp_path / 'bare.tsv'} must have a target for every source, but 1 of 2 have none: give another split, or "
        "layers of the encoder alone."
    )
    assert asked(name, *given, "layers=[encoder.1.forward]")


def test_the_horizon_of_cells_at_equal_parameters(asked, tmp_path, capsys):
    small = ("lengths=[2,3]", "steps=3", "seeds=2", "hidden_size=8", "enough=0.1")
    record = asked("horizon", "task=copy", "cells=[lstm,elman]", *small)
    first, second = record["cells"]
    assert (first["hidden_size"], first["reaches"], first["falls_at"]) == (8, 3, None)
    assert second["hidden_size"] > 8
    assert [len(row["seeds"]) for row in first["scores"]] == [2, 2]
    assert kept(tmp_path, "horizon") == record
    another = asked("horizon", "task=copy", "cells=[lstm]", *small, "seeds=1", "seed=2", f"out={tmp_path / 'another'}")
    assert another["cells"][0]["scores"][0]["seeds"] == first["scores"][0]["seeds"][1:]
    assert "copy: mean of 2 seeds" in " ".join(capsys.readouterr().err.split())


def test_what_precision_leaves(asked, tmp_path, capsys):
    given = ("cells=[lstm,lstm_coupled]", "precisions=[float32,bfloat16]", "steps=30", "time_constant=30")
    record = asked("erosion", *given, "hidden_size=2")
    found = [(row["cell"], row["precision"], row["by"]) for row in record["found"]]
    paths = [("lstm", precision, path) for precision in ("float32", "bfloat16") for path in ("kernel", "equations")]
    assert found == [*paths, *(("lstm_coupled", precision, "equations") for precision in ("float32", "bfloat16"))]
    row = record["found"][0]
    assert row["left"][-1] == pytest.approx(row["exact"][-1], rel=1e-4)
    assert row["steps"][-1] == 30
    assert kept(tmp_path, "erosion") == record
    assert "left after 30 steps" in capsys.readouterr().err


MISTAKES = [
    ("gradients", (), 'run or cells must be given, but neither is: run=DIR for trained cells, "cells=[lstm,gru]" for '),
    ("gradients", ("run=RUN", "cells=[gru]"), "run or cells must be given, but both are: run=DIR for trained cells, "),
    ("gradients", ("run=[RUN,RUN]",), "run must name each run once, to tell their curves apart, but is "),
    ("gradients", ("run=RUN", "length=5"), "length must be left out with run, but is 5."),
    ("gradients", ("run=RUN", *BOTH), "split must be null where there is a file, but is 'train' beside file="),
    ("time_constants", ("run=RUN", *BOTH), "split must be null where there is a file, but is 'train' beside file="),
    ("gradients", ("cells=[gru]", "limit=5"), "limit must be left out with cells, but is 5."),
    ("gradients", ("run=RUN", "loss=all"), "loss must be tokens or readout, but is 'all'."),
    (
        "gradients",
        ("run=RUN", "layers=[decoder.9]"),
        "layers must be of encoder.1.forward, encoder.1.backward, decoder",
    ),
    ("gradients", ("cells=lstm",), "cells must be a list of names, as [lstm,gru], but is 'lstm'."),
    ("gradients", ("cells=[rnn]",), "cells must be of lstm, gru, elman, elman_relu, elman_residual, lstm_no_forget,"),
    (
        "gradients",
        ("cells=[gru,stack]",),
        "cells must have a state of units, to have gradients by distance, but stack ",
    ),
    ("gradients", ("cells=[elman]", "forget_bias=[1]"), "forget_bias must be of cells with a gate that keeps their "),
    ("gradients", (*FRESH, "forget_bias=1"), "forget_bias must be a list of numbers, as [0,1,3], but is 1."),
    *(
        (name, ("cells=[lstm,gru,lstm]",), "cells must have each once, but has lstm twice: leave one out.")
        for name in LONE
    ),
    (
        "gradients",
        (*FRESH, "forget_bias=[1,2,1.0]"),
        "forget_bias must have each once, but has 1 twice: leave one out.",
    ),
    (
        "gradients",
        ("cells=[own]", OWN, "forget_bias=[1]"),
        "forget_bias must be of cells with a gate that keeps their ",
    ),
    *(
        (name, ("cells=[own]", "+kinds.own.x=1"), "kinds.own must have a class of cells as _target_, and _")
        for name in LONE
    ),
    *(
        (name, ("cells=[own]", NO_CELL), "kinds.own must have a class of cells as _target_, and _partial_=")
        for name in LONE
    ),
    ("gradients", ("cells=[lstm]", "length=1"), "length must be a whole number of at least 2, but is 1."),
    ("gradients", (*FRESH, "formats=[gif]"), "formats must be a list of some of png, svg, pdf, but is ['gif']."),
    (
        "time_constants",
        ("run=[RUN,RUN]",),
        "run must be one run, as an ensemble has no gates of its own: give run=DIR.",
    ),
    ("time_constants", ("run=RUN", "max_tokens=0"), "max_tokens must be a whole number of at least 1, but is 0."),
    ("gradients", ("run=RUN", "max_tokens=1"), "dev must have at least 1 line of at most max_tokens=1, but has 0: giv"),
    ("time_constants", ("run=RUN", "limit=0"), "limit must be a whole number of at least 1, but is 0."),
    (
        "time_constants",
        ("run=RUN", "layers=[x]"),
        "layers must be of encoder.1.forward, encoder.1.backward, decoder.1,",
    ),
    *(
        (name, ("run=RUN", "layers=[]"), "layers must be a list of names, or null for all, but is [].")
        for name in LOOKING
    ),
    *(
        (
            name,
            ("run=RUN", "layers=[decoder.1,decoder.1]"),
            "layers must have each once, but has decoder.1 twice: leave one out.",
        )
        for name in LOOKING
    ),
    ("gradients", ("run=RUN", "limit=0"), "limit must be a whole number of at least 1, but is 0."),
    (
        "gradients",
        ("cells=[lstm]", "forget_bias=[1e39]"),
        "forget_bias must be a number of at most 3.4e+38, as 32 bits hold, but is 1e+39.",
    ),
    ("gradients", ("run=RUN", "seed=2"), "seed must be left out with run, but is 2: it is of fresh weights, initial="),
    ("gradients", ("cells=[gru]", "device=cuda"), "device must be left out with cells, but is 'cuda'."),
    ("horizon", ("task=sort",), "task must be one of delay, adding, copy, but is 'sort'."),
    ("horizon", ("lengths=[10,5]",), "lengths must be in rising order, as a cell that fails at one is not tried at "),
    ("horizon", ("lengths=[1]",), "lengths must be a list of whole numbers of at least 2, but is [1]."),
    ("horizon", ("enough=101",), "enough must be above 0 and at most 100 percent, but is 101."),
    ("horizon", ("lr=0",), "lr must be above 0 and at most 3.4e+37, but is 0."),
    ("horizon", ("lr=1e38",), "lr must be above 0 and at most 3.4e+37, but is 1e+38."),
    (
        "erosion",
        ("cells=[elman]",),
        "cells must have a gate that keeps their memory, to store a value by it, but elman ",
    ),
    ("erosion", ("precisions=[int8]",), "precisions must be a list of some of float64, float32, bfloat16, float16, bf"),
    ("erosion", ("precisions=[float32,float32]",), "precisions must have each once, but has float32 twice: leave one "),
    ("erosion", ("paths=[kernel,kernel]",), "paths must have each once, but has kernel twice: leave one out."),
    ("erosion", ("paths=[fast]",), "paths must be a list of some of kernel, equations, but is ['fast']."),
    ("erosion", ("time_constant=0",), "time_constant must be at least 0.01 steps, but is 0."),
    ("erosion", ("time_constant=1e-9",), "time_constant must be at least 0.01 steps, but is 1e-09."),
]


@pytest.mark.parametrize(("name", "given", "said"), MISTAKES, ids=[said[:40] for *_, said in MISTAKES])
def test_a_mistake_is_told_in_one_line_and_nothing_is_written(asked, tmp_path, name, given, said):
    with pytest.raises(UserError) as error:
        asked(name, *given)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", LOOKING)
def test_examples_without_gold_are_refused(asked, tmp_path, name):
    (tmp_path / "bare.tsv").write_text("a b\ta b\nb c\t\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"bare\.tsv must have a target for every source, but 1 of 2 have none: give "):
        asked(name, "run=RUN", f"file={tmp_path / 'bare.tsv'}")


def test_a_folder_that_holds_something_is_left_alone(asked, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "own.txt").write_text("own", encoding="utf-8")
    with pytest.raises(UserError, match="must be a new or empty folder"):
        asked("gradients", *FRESH)
