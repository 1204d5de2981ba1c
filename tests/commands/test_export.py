"""An export of a tiny run: it answers as the run does, by every command that decodes, and what is wrong is said."""

import io
import json
import runpy
import shutil
import sys
import time
from pathlib import Path

import pytest
import torch
from line_streams import build_stream

from seq2seq.commands.benchmark import benchmark_config
from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.export import export
from seq2seq.commands.exporting import onnx_export as command
from seq2seq.commands.selfcheck import selfcheck
from seq2seq.commands.train import train
from seq2seq.compression import prepared
from seq2seq.config.contract import read_options
from seq2seq.errors import UserError
from seq2seq.export import manifest
from seq2seq.export.onnx_stepper import OnnxStepper
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs import exported_run
from seq2seq.runs.named_runs import load_decoding_runs, load_runs
from seq2seq.runs.translator import _other_forms, open_translator, runtime_of
from seq2seq.translation import threads
from seq2seq.translation.threads import set_threads

LINES = ["abc", "", "f a d", "bcdefa", "axyzb w"]


@pytest.fixture(scope="module")
def run(finished, tmp_path_factory) -> Path:
    """A run with an export in it, 8 bits beside it. Read it only."""
    folder = tmp_path_factory.mktemp("exported") / "run"
    shutil.copytree(finished, folder)
    return folder


@pytest.fixture(scope="module")
def report(run, config_of) -> dict:
    return export(config_of("export", f"run={run}", "int8=true", "sentences=6"))


@pytest.fixture
def folder(run, report, tmp_path) -> Path:
    """A copy of the export that can be spoilt."""
    return shutil.copytree(run / "onnx", tmp_path / "copy")


@pytest.fixture
def answers(config_of):
    def answer(*overrides: str) -> list[str]:
        stream = build_stream(config_of("translate", "format=json", "n_best=2", "decoding=beam", *overrides))
        return [str(line) for line in stream(line.encode() for line in LINES)]

    return answer


def test_a_report_says_what_was_proved(run, report):
    assert report["out"] == str(run / "onnx")
    assert report["lines"] == 6
    assert report["worst_difference"] < 1e-5
    assert set(report["scores"]["int8"]) == set(report["scores"]["float32"]) == {"exact_match"}
    wanted = {"start.onnx", "step.onnx", "step_int8.onnx", "tokenizers", "export.json", "README.md", "example.py"}
    assert {path.name for path in (run / "onnx").iterdir()} == wanted
    assert not list(run.glob(".*.half"))
    readme = (run / "onnx" / "README.md").read_text()
    assert "$" not in readme
    assert "6 lines were searched" in readme
    assert "| exact_match |" in readme


def test_its_answers_are_the_run_s(run, report, answers):
    told = [[json.loads(line) for line in answers(f"run={run}{place}", option)] for place, option in
            (("", "runtime=torch"), ("", "runtime=onnx"), ("/onnx", "runtime=auto"))]  # fmt: skip
    for each in told[1:]:
        for own, line in zip(told[0], each, strict=True):
            for one, other in zip(own["translations"], line["translations"], strict=True):
                assert one["text"] == other["text"]
                assert one["score"] == pytest.approx(other["score"], abs=1e-4)


def test_evaluate_and_selfcheck_know_it(run, report, config_of, monkeypatch, capsys):
    exported, torch_run = f"run={run}/onnx", f"run={run}"
    scores = [evaluate_run(config_of("evaluate", own, "bootstrap=0"))["scores"] for own in (exported, torch_run)]
    assert scores[0] == scores[1]
    both = f"run=[{run},{run}/onnx]"
    assert evaluate_run(config_of("evaluate", both, "bootstrap=0"))["scores"] == scores[0]
    assert selfcheck(config_of("selfcheck", exported, "sentences=4"))
    assert selfcheck(config_of("selfcheck", exported, "sentences=4", "precision=int8"))
    monkeypatch.setattr(prepared, "computes_int8", lambda: False)  # of torch: its graphs are others
    found = benchmark_config(
        config_of("benchmark", "mode=decode", exported, "precision=int8", "sentences=8", "lines=2", "repeats=1")
    )
    assert (found["runtime"], found["milliseconds_per_line"]["runtime"]) == ("onnx", "onnx")


def test_the_faster_one_is_taken(run, report, config_of, monkeypatch):
    options = read_options(config_of("translate", f"run={run}"))
    plain = OnnxStepper.step

    def slow(self, *given):
        torch.randn(900, 900) @ torch.randn(900, 900)
        return plain(self, *given)

    monkeypatch.setattr(OnnxStepper, "step", slow)
    translator = open_translator(options, lines=1)
    assert (runtime_of(translator), len(translator.forms)) == ("torch", 2)
    monkeypatch.setattr(OnnxStepper, "step", plain)
    monkeypatch.setattr(
        threads, "_take_steps", lambda stepper, *given: time.sleep(0.01 * (stepper is translator.stepper))
    )
    set_threads("auto", translator, lines=1)
    assert (runtime_of(translator), len(translator.forms)) == ("onnx", 2)
    for given in ("runtime=torch", "precision=int8", "reset=silence"):
        own = read_options(config_of("translate", f"run={run}", given))
        assert _other_forms(own, load_decoding_runs(own)) == []
    monkeypatch.setattr(exported_run, "is_installed", lambda: False)
    assert len(open_translator(options, lines=1).forms) == 1


def test_the_example_needs_no_package_of_ours(run, report, answers, config_of, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in LINES)))
    runpy.run_path(str(run / "onnx" / "example.py"), run_name="__main__")
    stream = build_stream(config_of("translate", f"run={run}"))
    assert capsys.readouterr().out.splitlines() == [str(line) for line in stream(line.encode() for line in LINES)]
    text = (run / "onnx" / "example.py").read_text()
    assert len(text.splitlines()) <= 66
    assert "seq2seq" not in text


def test_a_damaged_folder_is_refused(folder, config_of):
    config = config_of("translate", f"run={folder}")
    about = folder / manifest.FILE
    text = about.read_text()

    def refusal() -> str:
        with pytest.raises(UserError) as error:
            build_stream(config)
        return str(error.value)

    for changed, message in (
        (text.replace('"opset": 20', '"opset": 17'), f"{about} is of opset 17, but this version reads 20: export the"),
        (text.replace('"format": 1,', '"format": 9,'), f"{about} is of format 9, but this version reads 1: export"),
        (text.replace('"max_extra": 20', '"max_extra": 21'), f"{about} is damaged, or was changed since it was"),
        (text[:100], f"{about} is damaged: it is no JSON."),
        ("[]", f"{about} is no export of seq2seq"),
    ):
        about.write_text(changed)
        assert refusal().startswith(message)
    about.write_text(text)
    step = folder / "step.onnx"
    step.write_bytes(step.read_bytes()[:-1])
    assert refusal() == f"run={folder} is damaged: step.onnx is not what was written. Export the run again."
    step.unlink()
    assert refusal() == f"run={folder} is damaged: step.onnx is missing. Export the run again."


def test_what_an_export_cannot_do_is_refused(run, report, folder, config_of, tmp_path):
    with pytest.raises(UserError, match="^run=.*onnx must be of runs, but one is an export, which translate, "):
        load_runs({"run": str(run / "onnx"), "device": "cpu"})
    for name, overrides, message in (
        ("translate", ["precision=bfloat16"], "precision must be one of float32, int8 with this export"),
        ("translate", ["runtime=torch"], "runtime must be auto or onnx with run="),
        ("translate", ["runtime=tvm"], "runtime must be one of auto, torch, onnx, but is 'tvm'."),
        ("translate", ["reset=silence"], "run must name one run with reset, no export, and fusion must be none"),
    ):
        with pytest.raises(UserError, match=f"^{message}"):
            build_stream(config_of(name, f"run={run / 'onnx'}", *overrides))
    bare = shutil.copytree(run, tmp_path / "bare", ignore=shutil.ignore_patterns("onnx"))
    with pytest.raises(UserError, match="^runtime=onnx needs an export in the run, but .*onnx is none: write it by"):
        build_stream(config_of("translate", f"run={bare}", "runtime=onnx"))


def test_an_export_of_other_weights_is_not_used(run, report, config_of, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(manifest, "digest_of_weights", lambda model: "other")
    with pytest.raises(UserError, match="^runtime=onnx needs an export of the run's weights, but .* is of others"):
        build_stream(config_of("translate", f"run={run}", "runtime=onnx"))
    stream = build_stream(config_of("translate", f"run={run}"))
    assert runtime_of(stream.translator) == "torch"
    assert "is of other weights than the run: export the run again." in caplog.text


@pytest.mark.parametrize("damage", [('"opset": 20', '"opset": 17'), ('"format": 1,', '"format": 9,'), ("{", "")])
def test_a_run_goes_on_without_an_export_that_cannot_be_read(run, report, config_of, tmp_path, caplog, damage):
    own = shutil.copytree(run, tmp_path / "run")
    about = own / "onnx" / manifest.FILE
    about.write_text(about.read_text().replace(*damage))
    stream = build_stream(config_of("translate", f"run={own}"))
    assert runtime_of(stream.translator) == "torch"
    (told,) = [record.getMessage() for record in caplog.records if "is not used" in record.getMessage()]
    assert told.startswith(f"{own}/onnx is not used, as it cannot be read: ")
    with pytest.raises(UserError):
        build_stream(config_of("translate", f"run={own}", "runtime=onnx"))


def test_an_export_of_a_model_without_attention_tells_no_alignment(tiny_config, config_of, tmp_path):
    train(tiny_config("budget.max_steps=2", "model/attention=none"), tmp_path, resume=False)
    export(config_of("export", f"run={tmp_path}", "sentences=2"))
    for place, runtime in (("", "torch"), ("", "onnx"), ("/onnx", "auto")):
        given = f"run={tmp_path}{place}", f"runtime={runtime}", "format=json", "n_best=1"
        (answer,) = build_stream(config_of("translate", *given))([b"abc"])
        assert not json.loads(str(answer))["translations"][0]["alignment"]


def test_nothing_is_written_where_the_proof_fails(finished, config_of, tmp_path, monkeypatch):
    def differs(*_):
        raise UserError("to=onnx must do what the model does, but differs.")

    monkeypatch.setattr(command, "prove", differs)
    monkeypatch.setattr(command, "_stepper", lambda run: (run.model, {}))
    with pytest.raises(UserError, match="^to=onnx must do what the model does"):
        export(config_of("export", f"run={finished}", f"out={tmp_path}/new"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["to=tflite"], "to must be one of onnx, page, but is 'tflite'."),
        (["example=abc"], "example must be null with to=onnx, as only a page shows one."),
        (["sentences=0"], "sentences must be a whole number of at least 1"),
        (["int8=perhaps"], "int8 must be"),
        (["file=none.tsv"], "file"),
        (
            ["file=none.tsv", "split=test"],
            "split must be null where there is a file, but is 'test' beside file=none.tsv",
        ),
        (["to=page", "file=none.tsv", "split=test"], "split must be null where there is a file, but is 'test' beside "),
    ],
)
def test_mistakes(finished, config_of, tmp_path, overrides, message):
    with pytest.raises(UserError, match=f"^{message}"):
        export(config_of("export", f"run={finished}", f"out={tmp_path}/new", *overrides))


def test_a_transducer_is_refused(finished, config_of, tmp_path, monkeypatch):
    monkeypatch.setattr(Seq2Seq, "edits", True)
    with pytest.raises(
        UserError, match="^export needs a model that writes text, but run=.* is a transducer: decode by it"
    ):
        export(config_of("export", f"run={finished}", f"out={tmp_path}/new"))


def test_it_overwrites_nothing_and_takes_one_run(run, report, config_of):
    with pytest.raises(UserError, match=f"^out={run}/onnx must be a new or empty folder"):
        export(config_of("export", f"run={run}"))
    with pytest.raises(UserError, match="^run must be one run, as an ensemble is of several exports"):
        export(config_of("export", f"run=[{run},{run}]"))
