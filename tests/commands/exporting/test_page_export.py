"""The page of a tiny run: it answers as translate.py does, and nothing is written where it could not."""

import json
import shutil
from pathlib import Path

import pytest
from line_streams import build_stream
from page_programs import NODE, answers_in_node, needs_node

from seq2seq.commands.export import export
from seq2seq.commands.exporting import page_export
from seq2seq.commands.train import train
from seq2seq.errors import UserError
from seq2seq.export.page import in_node
from seq2seq.export.page.weight_bytes import store
from seq2seq.runs.evaluation import load_sources
from seq2seq.runs.run import load_run


@pytest.fixture
def run(finished, tmp_path) -> Path:
    """A copy of a run that a page can be written into."""
    return shutil.copytree(finished, tmp_path / "run")


def test_a_report_says_what_was_compared_and_written(run, config_of):
    report = export(config_of("export", f"run={run}", "to=page", "sentences=4"))
    page = (run / "page.html").read_bytes()
    assert {name: report[name] for name in ("out", "to", "lines", "weights", "bytes")} == {
        "out": str(run / "page.html"),
        "to": "page",
        "lines": 4,
        "weights": "float16",
        "bytes": len(page),
    }
    assert report["others"] == 0
    assert (report["script"] is not None) == (NODE is not None)
    assert 0 < report["worst_difference"] < 0.05
    assert b"<title>reverse</title>" in page
    with pytest.raises(UserError, match=f"^out={run}/page.html must be a new file, but is there: choose another"):
        export(config_of("export", f"run={run}", "to=page"))


@needs_node
@pytest.mark.parametrize("int8", ["false", "true"])
def test_its_answers_are_those_of_translate(run, config_of, tmp_path, int8):
    out = tmp_path / "page.html"
    report = export(config_of("export", f"run={run}", "to=page", f"out={out}", f"int8={int8}", "sentences=4"))
    assert ("scores" in report) == (int8 == "true")
    lines = [*load_sources(load_run(run), None, "test")[1], "", "f a d", "z z a"]
    (found,) = answers_in_node([(out, lines, 5, 1)])
    stream = build_stream(config_of("translate", f"run={run}", "decoding=beam", "format=json", "runtime=torch"))
    model = load_run(run).model  # with the numbers that the page has:
    stream.translator.stepper = store(model, report["weights"]).widened(model)
    wanted = [json.loads(str(line))["translations"][0] for line in stream(line.encode() for line in lines)]
    for own, other in zip(found, wanted, strict=True):
        assert own["found"][0]["text"] == other["text"]
        assert own["found"][0]["score"] == pytest.approx(other["score"], abs=1e-4)


@needs_node
def test_the_script_is_run_beside_the_model_before_anything_is_written(run, config_of, monkeypatch):
    out = run / "page.html"
    report = export(config_of("export", f"run={run}", "to=page", "sentences=4"))
    assert report["script"]["lines"] == 4
    assert 0 < report["script"]["worst_difference"] < 1e-4
    out.unlink()
    assembled = page_export.assemble
    for right, wrong in (("Math.tanh(", "0.9 * Math.tanh("), ("class Model", "klass Model")):
        monkeypatch.setattr(
            page_export,
            "assemble",
            lambda *given: assembled(*given).replace(right.encode(), wrong.encode()),  # noqa: B023
        )
        if right.startswith("Math"):
            with pytest.raises(
                UserError, match="^to=page must answer as the model does, but says '.*' to '.*', with a"
            ):
                export(config_of("export", f"run={run}", "to=page", "sentences=4"))
            assert not out.exists()
        else:
            assert export(config_of("export", f"run={run}", "to=page", "sentences=4"))["script"] is None


def test_without_node_it_says_that_the_script_was_not_run(run, config_of, monkeypatch, caplog):
    monkeypatch.setattr(in_node, "node", lambda: None)
    assert export(config_of("export", f"run={run}", "to=page", "sentences=2"))["script"] is None
    assert "node is not installed: the page's own script was not run beside the model" in caplog.messages


def test_an_example_stands_in_the_field(run, config_of):
    export(config_of("export", f"run={run}", "to=page", "sentences=1", 'example="f a </b>"'))
    assert b'"example":"f a \\u003c/b\\u003e"' in (run / "page.html").read_bytes()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["example=3"], "example must be"),
        (["out=/dev/null/page.html"], "out=/dev/null/page.html cannot be written: "),
        (["sentences=0"], "sentences must be a whole number of at least 1"),
    ],
)
def test_mistakes(run, config_of, overrides, message):
    with pytest.raises(UserError, match=f"^{message}"):
        export(config_of("export", f"run={run}", "to=page", *overrides))
    assert not (run / "page.html").exists()


def test_a_cell_that_cannot_go_is_refused_and_nothing_written(tiny_config, config_of, tmp_path):
    train(tiny_config("budget.max_steps=2", "model/cell=sru"), tmp_path, resume=False)
    with pytest.raises(UserError) as error:
        export(config_of("export", f"run={tmp_path}", "to=page", "sentences=2"))
    assert str(error.value) == (
        "to=page knows the cells lstm, gru, but none for SRUCell: train one of these, or choose to=onnx."
    )
    assert not (tmp_path / "page.html").exists()
