"""The command that looks at the health of a run, and the report that shows it."""

import json

import pytest

from seq2seq.commands.health import health
from seq2seq.commands.interpret import interpret
from seq2seq.errors import UserError
from seq2seq.runs.kept_vital_signs import kept_vital_signs


@pytest.fixture
def looked(config_of, finished, tmp_path):
    """The record of a command: looked("limit=3")."""

    def run(*overrides):
        return health(config_of("health", f"run={finished}", f"out={tmp_path / 'out'}", "device=cpu", *overrides))

    return run


def test_record_table_and_picture_tell_of_the_run(looked, tmp_path, capsys):
    record = looked()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["health.json", "vital_signs.png"]
    assert json.loads((tmp_path / "out" / "health.json").read_text(encoding="utf-8")) == record
    assert {sign["kind"] for sign in record["signs"]} >= {"kept", "rank", "entropy", "without_context", "without_state"}
    assert record["lines"] == 8
    said = capsys.readouterr()
    assert said.out == ""
    assert "health on dev (8 lines)" in said.err
    assert "without_context: right next tokens that stay so without context: " in said.err


@pytest.mark.parametrize(("limit", "lines"), [("null", 8), ("5", 5), ("9", 8)])
def test_as_many_lines_are_looked_at_as_the_limit_says(looked, limit, lines):
    assert looked(f"limit={limit}")["lines"] == lines


def test_what_a_run_kept_is_on_the_report(config_of, finished, tmp_path):
    assert [step for step, _ in kept_vital_signs(str(finished))] == [10, 20, 30]
    given = [f"run={finished}", "text=abc", f"out={tmp_path / 'out'}", "device=cpu", "steps=1", "formats=[png]"]
    paths = {path.name: path for path in interpret(config_of("interpret", *given))}
    assert "vital_signs.png" in paths
    page = paths["report.html"].read_text(encoding="utf-8")
    assert '<ul id="vital-signs">' in page
    assert page.count('<img class="training"') == 2
    assert "{{" not in page.split("<main>")[1].split("<script")[0]


def test_a_run_without_vital_signs_has_no_picture(looked, finished, tmp_path, caplog, monkeypatch):
    kept = {}
    monkeypatch.setattr("seq2seq.runs.kept_vital_signs.read_checkpoint", lambda path: {"callbacks": kept})
    with caplog.at_level("INFO"):
        looked()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["health.json"]
    assert "no picture: the run kept no vital signs of its validations (callbacks.vital_signs)" in caplog.text
    kept["VitalSignMonitor"] = {"points": [[1, [["dead"]]]]}
    with pytest.raises(UserError, match="has vital signs that cannot be read"):
        kept_vital_signs(str(finished))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["limit=0"], "limit must be a whole number of at least 1, but is 0."),
        (["run=[a,b]"], "run must be one run, as an ensemble has no cells of its own: give run=DIR."),
        (
            ["file=a.tsv", "split=test"],
            "split must be null where there is a file, but is 'test' beside file=a.tsv: give one.",
        ),
        (["max_tokens=1"], "dev must have at least 1 line of at most max_tokens=1, but has 0: give more."),
        (["formats=[gif]"], "formats must be a list of some of png, svg, pdf, but is ['gif']."),
    ],
)
def test_a_mistake_is_told_in_one_line_and_nothing_is_written(looked, tmp_path, overrides, message):
    with pytest.raises(UserError) as error:
        looked(*overrides)
    assert str(error.value) == message
    assert not (tmp_path / "out").exists()


def test_lines_without_gold_are_refused(looked, tmp_path):
    (tmp_path / "bare.tsv").write_text("a b\ta b\nb c\t\n", encoding="utf-8")
    with pytest.raises(UserError, match="but 1 of 2 have none: give another split, or file=pairs.tsv."):
        looked(f"file={tmp_path / 'bare.tsv'}")
