"""The command that looks at what units know."""

import json
import sys

import pytest
import torch

from seq2seq.commands.probe import probe
from seq2seq.config.closed_table import trusting
from seq2seq.errors import UserError
from seq2seq.runs.run import load_run

PACKAGE = """
def late(line):
    return [float(place > 1) for place in range(len(line))]

def position(line):
    return [*range(1, len(line) + 1)]

def sided(line):
    return None if line.side == "target" else ["first", *["other"] * (len(line) - 1)]

def short(line):
    return [0.0]

class Kind:
    pass
"""


@pytest.fixture
def probed(config_of, finished, tmp_path):
    """The record of a command: probed("signals=[position]")."""

    def run(*overrides):
        given = [f"run={finished}", f"out={tmp_path / 'out'}", "device=cpu", "split=train"]
        return probe(config_of("probe", *given, *overrides))

    return run


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "own_signals.py").write_text(PACKAGE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "own_signals"
    sys.modules.pop("own_signals", None)


def test_record_page_and_pictures_are_written_and_weights_stay(probed, finished, tmp_path, capsys):
    before = load_run(finished).model.state_dict()
    record = probed("signals=[position,distance_to_end,piece_before]", "units=3")
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} >= {"units.html", "units.json", "units_position.png"}
    whole = json.loads((out / "units.json").read_text(encoding="utf-8"))
    assert whole["tests"] == len(whole["units"]) == record["tests"]
    assert record["probes"] == whole["probes"]
    cells = {"encoder 1 forward", "encoder 1 backward", "decoder 1"}
    assert {row["cell"] for row in record["probes"]} == cells
    assert {row["signal"] for row in record["probes"] if row["cell"] == "decoder 1"} == {"position", "distance_to_end"}
    assert len(record["units"]["position"]) == 3
    assert abs(record["units"]["position"][0]["correlation"]) > 0.6
    page = (out / "units.html").read_text(encoding="utf-8")
    assert "A correlation is no cause." in page
    first = record["units"]["position"][0]
    named = f"&quot;layers=[{first['cell'].replace(' ', '.')}]&quot; &quot;units=[{first['unit']}]&quot;"
    assert f"python scripts/intervene.py run={finished} &quot;gates=[]&quot;" in page.replace("&#x27;", "")
    assert named in page
    said = capsys.readouterr()
    assert said.out == ""
    assert "clearest units; p corrected for" in said.err
    after = load_run(finished).model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_the_same_command_gives_the_same_record(probed, tmp_path):
    first, again = (probed("signals=[position]", "limit=45", f"out={tmp_path / name}") for name in "ab")
    assert first == again
    assert first["lines"] == 45


def test_functions_of_ones_own_are_signals_and_are_told_on_the_page(probed, package, tmp_path):
    with trusting([package]):
        record = probed("signals=[own_signals.late,own_signals.sided]")
    rows = {(row["cell"], row["signal"]): row["measure"] for row in record["probes"]}
    assert rows["decoder 1", "own_signals.late"] == "accuracy"
    assert ("decoder 1", "own_signals.sided") not in rows
    assert "trust=[own_signals]" in (tmp_path / "out" / "units.html").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "units_late.png").is_file()


def test_signals_of_one_last_name_have_a_picture_each(probed, package, tmp_path):
    with trusting([package]):
        record = probed("signals=[position,own_signals.position,own_signals.late]")
    pictures = {"units_position.png", "units_own_signals.position.png", "units_late.png"}
    assert record["units"].keys() == {"position", "own_signals.position", "own_signals.late"}
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == pictures


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_signals.short", "signals: own_signals.short must give "),
        ("own_signals.none", "signals has own_signals.none, which cannot be found: "),
        ("own_signals.Kind", "signals must name functions of own_signals itself, but own_signals.Kind is none."),
        ("other.late", "signals must be of packages that are trusted, but has other.late: if it is of your own code, "
         "add trust=[other]."),
    ],
)  # fmt: skip
def test_a_function_that_is_none_is_told(probed, package, tmp_path, name, message):
    with trusting([package]), pytest.raises(UserError) as error:
        probed(f"signals=[{name}]")
    assert str(error.value).startswith(message)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["signals=[]"], "signals must be a list of names, or null for the usual ones, but is []."),
        (["signals=[vowels]"], "signals must be of position, distance_to_end, vowel, "),
        (["signals=[bracket_depth]"], "signals has bracket_depth, which is the same at every step of these lines, or "),
        (["layers=[decoder.2]"], "layers must be of encoder.1.forward, encoder.1.backward, decoder.1, but has "
         "decoder.2."),
        (["layers=decoder.1"], "layers must be a list of names, or null for all, but is 'decoder.1'."),
        (["layers=[]"], "layers must be a list of names, or null for all, but is []."),
        (["layers=[decoder.1,decoder.1]"], "layers must have each once, but has decoder.1 twice: leave one out."),
        (["run=[a,b]"], "run must be one run, as an ensemble has no units of its own: give run=DIR."),
        (["limit=0"], "limit must be a whole number of at least 1, but is 0."),
        (["limit=5"], "train must have at least 10 lines of at most max_tokens=256, but has 5: give more."),
        (["max_tokens=1"], "train must have at least 10 lines of at most max_tokens=1, but has 4: give more."),
        (["file=a.tsv"], "split must be null where there is a file, but is 'train' beside file=a.tsv: give one."),
        (["split=all"], "split must be train, dev or test, but is 'all'."),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_line_and_nothing_is_written(probed, tmp_path, overrides, message):
    with pytest.raises(UserError) as error:
        probed(*overrides)
    assert str(error.value).startswith(message)
    assert not (tmp_path / "out").exists()


def test_gold_is_needed_where_the_decoder_is_looked_at_alone(probed, tmp_path):
    rows = [f"{'a b c d e f'[: 2 * size - 1]}\t" for size in (3, 4, 5, 6)] * 5
    distinct = [f"{row.strip()}{' a' * (number // 4)}\t" for number, row in enumerate(rows)]
    (tmp_path / "bare.tsv").write_text("\n".join(distinct) + "\n", encoding="utf-8")
    given = [f"file={tmp_path / 'bare.tsv'}", "split=null", "signals=[position]"]
    with pytest.raises(UserError, match="have none: give another split, or layers of the encoder alone."):
        probed(*given)
    record = probed(*given, "layers=[encoder.1.forward]")
    assert {row["cell"] for row in record["probes"]} == {"encoder 1 forward"}
