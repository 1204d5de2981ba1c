import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from seq2seq.commands import interpret as command
from seq2seq.commands.interpret import interpret
from seq2seq.commands.interpreting import report_folder
from seq2seq.config.invocation import invoked
from seq2seq.decoding.scoring import score_targets
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.errors import UserError
from seq2seq.runs.run import load_run
from seq2seq.translation.translator import Translator

NAMES = [
    "attention",
    "integrated_gradients",
    "occlusion",
    "gradient_x_input",
    "gates_of_encoder_1_forward",
    "gates_of_encoder_1_backward",
    "gates_of_decoder_1",
    "training",
    "vital_signs",
    "time_constants",
]
PICTURES = [f"{name}.{kind}" for name in NAMES for kind in ("png", "svg")]


@pytest.fixture
def without_pictures(monkeypatch):
    """They take most of the time."""
    monkeypatch.setattr(report_folder, "write_picture", lambda *_, **__: None)


@pytest.fixture
def interpreted(config_of, finished, tmp_path, without_pictures):
    """The report's page: interpreted("text='a b'")."""

    def run(*overrides: str) -> str:
        given = [f"run={finished}", f"out={tmp_path / 'out'}", "device=cpu", "steps=4"]
        config = config_of("interpret", *given, *overrides)
        return interpret(config)[0].read_text(encoding="utf-8")

    return run


def scored(page: str) -> tuple[float, int]:
    scores = re.search(r'"scores":\[(.*?)\]', page)[1].split(",")
    return sum(map(float, scores)), len(scores)


def test_a_report_and_pictures_are_written_into_a_new_folder(config_of, finished, tmp_path):
    config = config_of("interpret", f"run={finished}", "text='a b c'", f"out={tmp_path / 'deep' / 'out'}", "device=cpu")
    files = interpret(config)
    assert [file.name for file in files] == ["report.html", *PICTURES]
    assert sorted(files) == sorted((tmp_path / "deep" / "out").iterdir())
    starts = {".png": b"\x89PNG", ".svg": b"<?xml"}
    assert all(file.read_bytes().startswith(starts[file.suffix]) for file in files[1:])


@pytest.mark.parametrize(("formats", "kinds"), [("[svg]", {".svg"}), ("[pdf,png]", {".pdf", ".png"})])
def test_pictures_come_in_the_formats_that_are_asked_for(config_of, finished, tmp_path, monkeypatch, formats, kinds):
    all_figures = command.figures_of
    monkeypatch.setattr(command, "figures_of", lambda reading: dict(list(all_figures(reading).items())[:2]))
    given = [f"run={finished}", "text=a", f"out={tmp_path / 'out'}", "device=cpu", "steps=2", f"formats={formats}"]
    files = interpret(config_of("interpret", *given))[1:]
    assert {(file.stem, file.suffix) for file in files} == {(name, kind) for name in NAMES[:2] for kind in kinds}


@pytest.mark.parametrize(
    ("formats", "given"), [("[]", "[]"), ("[png,gif]", "['png', 'gif']"), ("png", "'png'"), ("null", "None")]
)
def test_other_formats_are_refused(interpreted, formats, given):
    with pytest.raises(UserError) as error:
        interpreted("text=a", f"formats={formats}")
    assert str(error.value) == f"formats must be a list of some of png, svg, pdf, but is {given}."


def test_every_picture_has_the_text_and_the_output_in_its_title(config_of, finished, tmp_path, monkeypatch):
    titles = []
    monkeypatch.setattr(report_folder, "write_picture", lambda figure, *_, **__: titles.append(figure))
    given = [f"run={finished}", "text='a b'", "target='b a'", f"out={tmp_path / 'out'}", "device=cpu", "steps=2"]
    interpret(config_of("interpret", *given, "formats=[png]"))
    assert len(titles) == len(NAMES)
    named = [figure.get_suptitle() for figure in titles]
    assert named.pop(NAMES.index("vital_signs")) == f"Vital signs: {finished}"
    assert named.pop(NAMES.index("training")) == f"Curves of training: {finished}"
    assert all(title.endswith(": a b \u2192 b a") for title in named)


def test_by_default_each_has_a_folder_of_its_own_in_the_run(config_of, finished, tmp_path, without_pictures):
    """Also where the run is given as a checkpoint; nothing is ever written over."""
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    checkpoint = next((run / "checkpoints").glob("*.ckpt"))
    folders = []
    for given in (run, checkpoint, run):
        (report, *_) = interpret(config_of("interpret", f"run={given}", "text='../b, a'", "device=cpu", "steps=2"))
        folders.append(report.parent)
    assert folders == [run / "interpretation" / name for name in ("b_a", "b_a_2", "b_a_3")]


def test_the_output_is_the_best_translation_with_its_score(interpreted, finished):
    run = load_run(finished)
    (found,) = Translator(run.model, run.tokenizers, GreedySearch()).hypotheses(["a b c"])
    page = interpreted("text='a b c'")
    assert f'<span class="text">{run.tokenizers.target.decode([found.ids])[0]}</span>' in page
    total, count = scored(page)
    assert count == len(found.token_scores)
    assert total == pytest.approx(found.score, abs=1e-3)
    assert '"forced":false' in page


def test_a_given_target_is_forced(interpreted, finished):
    run = load_run(finished)
    source, target = ([*tokenizer.encode([text])[0], 3] for tokenizer, text in zip(
        (run.tokenizers.source, run.tokenizers.target), ("a b c", "f f"), strict=True
    ))  # fmt: skip
    tensors = (torch.tensor(ids) for ids in ([source], [len(source)], [target], [len(target)]))
    (expected,) = score_targets(run.model, *tensors)
    page = interpreted("text='a b c'", "target='f f'")
    assert '<span class="text">f f</span>' in page
    total, count = scored(page)
    assert (total, count) == (pytest.approx(expected.score, abs=1e-3), 3)
    assert '"forced":true' in page


def test_pieces_are_named_as_in_the_text(interpreted):
    page = interpreted("text='a Q c'", "probe=[0,1,0,2]")
    assert '"source":["a","Q","c","\\u003c/s\\u003e"]' in page


def test_a_number_is_a_text(interpreted):
    assert "<title>0 → " in interpreted("text=0")


@pytest.mark.parametrize("probe", ["[0,1,0,2]", "'0,1,0,2'", "'[0, 1, 0, 2]'"])
def test_a_probe_is_a_list_or_text(interpreted, probe):
    assert '"signal":[0.0,1.0,0.0,2.0]' in interpreted("text='a b c'", f"probe={probe}")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["text=''"], "text must be one line, but is ''."),
        (["text=[a,b]"], "text must be one line, but is ['a', 'b']."),
        (["text=a", "target=[K,ER]"], "target must be one line, but is ['K', 'ER']."),
        (["text=a", "target={a:1}"], "target must be one line, but is {'a': 1}."),
        (["text=a", "run=[a,b]"], "run must be one run, but is ['a', 'b']."),
        (["text=a", "run=nowhere"], "run=nowhere does not exist: give a run folder or a checkpoint file."),
        (
            ["text='a b c'", "probe=[1,2,3]"],
            "probe must have 4 numbers, one per source token and one for its end, but has 3.",
        ),
        (
            ["text='a b c'", "probe=[1,x,2,3]"],
            "probe must be numbers, one per source token and one for its end, but is [1, 'x', 2, 3].",
        ),
        (["text=a", "probe=.nan"], "probe must be numbers, one per source token and one for its end, but is '.nan'."),
        (["text=a", "score=loss"], "score must be one of log_probability, logit, but is 'loss'."),
        (["text=a", "steps=0"], "steps must be a whole number of at least 1, but is 0."),
        (["text=a", "units=many"], "units must be a whole number of at least 1, but is 'many'."),
        (
            ["text='a b c'", "max_source_tokens=2"],
            "text must have at most max_source_tokens=2 tokens, but has 3: cut it.",
        ),
        (["text='\ufeff'"], "text must have at least one token, but '\\ufeff' has none: give another text."),
    ],
)
def test_mistakes_are_told_in_one_line_and_nothing_is_written(interpreted, tmp_path, overrides, message):
    with pytest.raises(UserError) as caught:
        interpreted(*overrides)
    assert str(caught.value) == message
    assert not (tmp_path / "out").exists()


def test_a_search_is_refused_where_nothing_is_searched_for(interpreted, tmp_path):
    for name, own in (("target", ["text=a", "target=b"]), ("stream", ["stream=book.txt", "steps=32"])):
        for given in ("decoding=beam", "decoding.length.minimum=3"):
            with invoked("interpret", [*own, given]), pytest.raises(UserError) as caught:
                interpreted(*own, given)
            expected = (
                f"{given} has no effect beside {name}, with which nothing is searched for: leave one of them out."
            )
            assert str(caught.value) == expected
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_nothing_is_written_over(interpreted, tmp_path, kind):
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "mine").write_text("mine")
    with pytest.raises(UserError) as caught:
        interpreted("text=a")
    assert str(caught.value) == f"out={out} must be a new or empty folder, but is not: choose another, or remove it."


def test_the_logit_can_be_attributed(interpreted):
    assert '"score":"logit"' in interpreted("text=a", "score=logit")


def test_progress_is_logged(interpreted, caplog):
    with caplog.at_level(logging.INFO, "seq2seq"):
        interpreted("text='a b'", "target=c")
    assert [record.getMessage() for record in caplog.records] == ["tracing 3 source and 2 target tokens", "attributing"]


@pytest.mark.slow
def test_the_script_prints_what_it_wrote(finished, tmp_path):
    root = Path(__file__).parents[2]
    command = [sys.executable, str(root / "scripts" / "interpret.py"), f"run={finished}", "text='a b'", "steps=1"]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    options = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run([*command, "out=out", "device=cpu"], check=True, **options)
    assert done.stdout.splitlines() == [f"out/{name}" for name in ("report.html", *PICTURES)]
    assert sorted(tmp_path.iterdir()) == [tmp_path / "out"]
    refused = subprocess.run([*command, "out=out"], check=False, **options)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "error: out=out must be a new or empty folder, but is not: choose another, or remove it.\n"
