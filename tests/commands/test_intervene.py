"""The command that changes what a run computes."""

import json

import pytest
import torch

from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.intervene import intervene
from seq2seq.errors import UserError
from seq2seq.runs.run import load_run


@pytest.fixture
def tried(config_of, finished, tmp_path):
    """The record of a command: tried("gates=[forget]")."""

    def run(*overrides):
        given = [f"run={finished}", f"out={tmp_path / 'out'}", "device=cpu", "threads=1", "bootstrap=50"]
        return intervene(config_of("intervene", *given, *overrides))

    return run


def test_with_nothing_changed_scores_are_those_of_evaluate(tried, config_of, finished, tmp_path):
    record = tried("gates=[]", "attention=[]")
    given = [f"run={finished}", "split=dev", "device=cpu", "threads=1", "bootstrap=0"]
    assert record["none"]["scores"] == evaluate_run(config_of("evaluate", *given))["scores"]
    assert record["interventions"] == []
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["interventions.json"]


def test_each_gate_of_each_cell_and_attention_are_tried_and_weights_stay(tried, finished, tmp_path, capsys):
    before = load_run(finished).model.state_dict()
    record = tried("formats=[png,svg]")
    cells = ["encoder 1 forward", "encoder 1 backward", "decoder 1"]
    changes = [f"{gate} = {value}" for gate in ("input", "forget", "output") for value in ("0", "1", "mean")]
    places = [(row["place"], row["change"]) for row in record["interventions"]]
    assert places == [(cell, change) for cell in cells for change in changes] + [
        ("attention", "cut"),
        ("attention", "even"),
    ]
    assert len({row["loss"] for row in record["interventions"]}) > 25  # none is inert
    row = record["interventions"][0]
    assert row["differences"]["loss"]["difference"] == pytest.approx(row["loss"] - record["none"]["loss"], abs=2e-4)
    low, high = row["differences"]["loss"]["interval"]
    assert low < row["differences"]["loss"]["difference"] < high
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["interventions.json", "interventions.png", "interventions.svg"]
    assert json.loads((tmp_path / "out" / "interventions.json").read_text(encoding="utf-8")) == record
    said = capsys.readouterr()
    assert "interventions on dev (8 examples)" in said.err
    assert said.out == ""
    after = load_run(finished).model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_run_behind_interventions_equals_one_before(tried, finished, tmp_path):
    first = tried("gates=[forget]", "to=[mean]", "layers=[decoder.1]", f"out={tmp_path / 'first'}")
    tried("gates=[forget]", "to=[one]", "state=[silence,freeze]", "attention=[shuffle]", f"out={tmp_path / 'second'}")
    assert tried("gates=[forget]", "to=[mean]", "layers=[decoder.1]", f"out={tmp_path / 'third'}") == first


def test_units_and_states_are_chosen(tried):
    record = tried("gates=[]", "state=[silence,freeze]", "units=[0,5]", "layers=[decoder.1]", "attention=[]", "limit=3")
    assert [(row["place"], row["change"]) for row in record["interventions"]] == [
        ("decoder 1", "silence"),
        ("decoder 1", "freeze"),
    ]
    assert record["examples"] <= 3


def test_each_change_is_tried_at_each_step_and_drawn_by_it(tried, tmp_path, capsys):
    record = tried("gates=[forget]", "to=[zero,other]", "state=[silence]", "layers=[decoder.1]", "steps=[0,2,40]")
    rows = [(row["change"], row["step"]) for row in record["interventions"]]
    assert rows == [(change, step) for change in ("forget = 0", "forget = other", "silence") for step in (0, 2, 40)]
    moved = [found["differences"]["loss"]["difference"] for found in record["interventions"]]
    assert moved[rows.index(("silence", 2))] != 0
    assert abs(moved[rows.index(("silence", 40))]) < 1e-4  # no target is so long
    assert (tmp_path / "out" / "interventions.png").stat().st_size > 5000
    assert "forget = other, step 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["gates=[reset]"], "gates must be of input, forget, candidate, output, those of encoder 1 forward, but has "
         "reset."),
        (["gates=[reset]", "layers=[decoder.1]"], "gates must be of input, forget, candidate, output, those of decoder "
         "1, but has reset."),
        (["layers=[decoder.2]"], "layers must be of encoder.1.forward, encoder.1.backward, decoder.1, but has "
         "decoder.2."),
        (["units=[16]"], "units must be between 0 and 7, the units of the input gate of encoder 1 forward, but has "
         "16."),
        (["units=[a]"], "units must be whole numbers, but has 'a'."),
        (["layers=[]"], "layers must be a list of names, or null for all, but is []."),
        (["layers=[decoder.1,decoder.1]"], "layers must have each once, but has decoder.1 twice: leave one out."),
        (["units=[]"], "units must have at least one, or be null for all, but is []."),
        (["steps=[]"], "steps must have at least one, or be null for all, but is []."),
        (["gates=[1]"], "gates must be a list of names, but is [1]."),
        (["to=[open]"], "to must be of zero, one, mean, other and numbers, but has 'open'."),
        (["to=[nan]"], "to must be of zero, one, mean, other and numbers, but has nan."),
        (["to=[1e39]"], "to must be of zero, one, mean, other and numbers, but has 1e+39."),
        (["to=[]"], "to must have at least one, or nothing is set: give some, or leave gates out by gates=[]."),
        (["steps=[-1]"], "steps must be whole numbers of at least 0, but has -1."),
        (["steps=1"], "steps must be a list or null, but is 1."),
        (["steps=[0]", "attention=[cut]"], "attention must be left out with steps, which are those of cells: give one "
         "of them."),
        (["to=[other]", "decoding=beam"], "to=other needs one hypothesis of a sentence, but the search has several: "
         "choose decoding=greedy."),
        (["to=[other]", "limit=1"], "to=other needs two different sources or more, but there is one: raise limit."),
        (["gates=forget"], "gates must be a list or null, but is 'forget'."),
        (["state=null"], "state must be a list, but is None."),
        (["state=[stop]"], "state must be of silence, freeze, but has 'stop'."),
        (["attention=[odd]"], "attention must be of cut, even, shuffle, but has 'odd'."),
        (["run=[a,b]"], "run must be one run, as an ensemble has no gates of its own: give run=DIR."),
        (["gates=[forget,forget]"], "gates must have each once, but has forget twice: leave one out."),
        (["to=[zero,0]"], "to must have each once, but has 0 twice: leave one out."),
        (["to=[0.12345678,0.12345679]"], "to must have each once, but has 0.123457 twice: leave one out."),
        (["to=[mean,mean]"], "to must have each once, but has mean twice: leave one out."),
        (["units=[0,0]"], "units must have each once, but has 0 twice: leave one out."),
        (["state=[freeze,freeze]"], "state must have each once, but has freeze twice: leave one out."),
        (["attention=[cut,cut]"], "attention must have each once, but has cut twice: leave one out."),
        (["steps=[0,0]"], "steps must have each once, but has 0 twice: leave one out."),
        (["gates=[]", "layers=[decoder.1]"], "layers must be left out where no gate or state of a cell is changed, but "
         "is ['decoder.1']: name gates or a state, or leave it out."),
        (["gates=[]", "units=[0,1]"], "units must be left out where no gate or state of a cell is changed, but is [0, "
         "1]: name gates or a state, or leave it out."),
        (["gates=[]", "steps=[0,1]"], "steps must be left out where no gate or state of a cell is changed, but is [0, "
         "1]: name gates or a state, or leave it out."),
        (["gates=[]", "to=[one]", "state=[freeze]"], "to must be left out with gates=[], as no gate is set, but is "
         "['one']."),
        (["file=a.tsv", "split=test"], "split must be null where there is a file, but is 'test' beside file=a.tsv: "
         "give one."),
        (["limit=0"], "limit must be a whole number of at least 1, but is 0."),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_line_and_nothing_is_written(tried, tmp_path, overrides, message):
    with pytest.raises(UserError) as error:
        tried(*overrides)
    assert str(error.value) == message
    assert not (tmp_path / "out").exists()


def test_without_a_limit_all_examples_are_tried(tried):
    given = ("gates=[]", "attention=[cut]", "split=train", "bootstrap=0")
    assert tried(*given, "limit=null")["examples"] == 60


def test_as_many_examples_are_tried_as_the_limit_says(tried):
    assert tried("gates=[]", "attention=[]", "limit=45", "split=train", "bootstrap=0")["examples"] == 45


def test_a_file_without_gold_is_refused(tried, tmp_path):
    (tmp_path / "bare.tsv").write_text("a b\ta b\nb c\t\n", encoding="utf-8")
    with pytest.raises(UserError, match="must have a target for every source, but 1 of 2 have none: give another"):
        tried(f"file={tmp_path / 'bare.tsv'}")


def test_means_are_of_lines_that_are_not_too_long_and_the_others_are_told(tried, tmp_path, caplog):
    (tmp_path / "pairs.tsv").write_text("a b\tb a\na c\te d c b a\n", encoding="utf-8")
    tried("gates=[forget]", "to=[mean]", "attention=[]", f"file={tmp_path / 'pairs.tsv'}", "max_source_tokens=4")
    assert (
        "1 of 2 lines have an empty source, or a source or target over max_source_tokens=4: left out" in caplog.messages
    )
