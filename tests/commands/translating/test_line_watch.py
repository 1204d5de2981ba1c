"""A watch tells of changes and changes nothing."""

import json
import logging
from contextlib import nullcontext
from pathlib import Path

import pytest
from line_streams import build_stream
from omegaconf import DictConfig

from seq2seq.commands import translate as command
from seq2seq.commands.translate import build_live_stream
from seq2seq.commands.translating.line_watch import LineWatch
from seq2seq.drift.adwin import Adwin
from seq2seq.drift.page_hinkley import PageHinkley
from seq2seq.errors import UserError
from seq2seq.runs.run import load_run

USUAL = ["a b c", "f", "d d a b e", "c a", "e e f a", "b b"]
LINES = [f"{text}\n".encode() for text in USUAL * 10 + ["zz yy a"] * 20 + ["", *USUAL * 10]]
FAST = ["watch.detectors.page_hinkley.first=1", "watch.detectors.page_hinkley.threshold=8.0"]


@pytest.fixture(scope="module")
def config(config_of, finished, tmp_path_factory):
    """The config of the finished run with overrides, whose watch knows its usual lines by a file."""
    path = tmp_path_factory.mktemp("reference") / "usual.txt"
    path.write_text("\n".join(USUAL), encoding="utf-8")

    def with_reference(*overrides: str) -> DictConfig:
        watched = any(text.startswith("watch=") and text != "watch=none" for text in overrides)
        reference = [f"watch.reference='{path}'"] if watched else []
        return config_of("translate", f"run='{finished}'", "device=cpu", "threads=1", *overrides, *reference)

    return with_reference


@pytest.fixture(autouse=True)
def _said(caplog):
    caplog.set_level(logging.WARNING)


def alarms(caplog) -> list[str]:
    return [text for text in caplog.messages if "has changed" in text]


# Lines are answered as always


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["buffer=7"],
        ["decoding=beam", "format=tsv", "n_best=2"],
        ["format=json"],
        ["decoding=beam", "rerank=mbr", "replace_unknown=true"],
    ],
)
def test_watched_lines_are_answered_to_the_bit_as_those_that_are_not(config, options, caplog):
    wanted = list(build_stream(config(*options))(LINES))
    assert alarms(caplog) == []
    assert list(build_stream(config(*options, "watch=both", *FAST))(LINES)) == wanted
    assert alarms(caplog)


def test_constraints_and_prefixes_are_watched_too(config, caplog):
    options = ["input=json", "format=json", "decoding=beam"]
    lines = [
        json.dumps({"source": text, "prefix": "b", "constraints": ["c"]}).encode()
        for text in USUAL * 5 + ["zz yy a"] * 20
    ]
    wanted = list(build_stream(config(*options))(lines))
    assert list(build_stream(config(*options, "watch=page_hinkley", *FAST))(lines)) == wanted
    assert alarms(caplog)


def test_nothing_is_asked_of_a_search_where_nobody_watches(config):
    stream = build_stream(config())
    assert (stream.watch, stream.attention) == (None, False)
    assert build_stream(config("watch=adwin")).attention is True


# Alarms


def test_alarms_are_lines_of_stderr_and_of_a_file(config, caplog, tmp_path):
    path = tmp_path / "new" / "alarms.jsonl"
    stream = build_stream(config("watch=page_hinkley", *FAST, f"watch.file='{path}'"))
    assert path.read_text() == ""  # where it cannot be written, that is told before a line is read
    answers = list(stream(LINES))
    assert len(answers) == len(LINES)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [set(row) for row in rows] == [{"line", "signal", "detector", "value", "mean", "since"}] * len(rows)
    first = next(row for row in rows if row["signal"] == "unknown")
    assert (first["detector"], first["value"], first["since"]) == ("page_hinkley", 5.0, 61)
    assert 61 < first["line"] < 66
    said = alarms(caplog)
    assert len(said) == len(rows)
    assert (
        f"line {first['line']}: unknown has changed: since about line 61 its mean is 5.00 deviations above what is "
        "usual (page_hinkley): the source vocabulary lacks what comes: look at what was never seen, and train with "
        "lines like these"
    ) in said
    back = [text for text in said if "unknown" in text and "is back near that" in text]
    assert len(back) == 1
    assert 81 < int(back[0].split()[1].rstrip(":")) < 100
    list(build_stream(config("watch=page_hinkley", *FAST, f"watch.file='{path}'"))(LINES))
    assert len(path.read_text().splitlines()) == 2 * len(rows)  # what was told before stays


def test_an_alarm_comes_when_its_line_is_answered(config, caplog):
    answers = build_stream(config("watch=page_hinkley", *FAST, "buffer=1"))(LINES)
    for _ in range(61):
        next(answers)
    assert not [text for text in alarms(caplog) if "unknown" in text]
    for _ in range(5):
        next(answers)
    assert [text for text in alarms(caplog) if "unknown" in text]


@pytest.mark.parametrize("name", ["page_hinkley", "adwin", "both"])
def test_every_detector_has_its_options(config, name):
    kinds = {"page_hinkley": PageHinkley, "adwin": Adwin}
    names = [*kinds] if name == "both" else [name]
    stream = build_stream(config(f"watch={name}", *(f"watch.detectors.{one}.delta=0.5" for one in names)))
    assert isinstance(stream.watch, LineWatch)
    detectors = stream.watch.watch._detectors
    assert {own for _, own in detectors} == set(names)
    assert len(detectors) == 4 * len(names)
    assert all(type(one) is kinds[own] and one.delta == 0.5 for (_, own), one in detectors.items())
    assert stream.watch.watch.limit == 5.0


# Pictures


def test_a_picture_is_drawn_at_the_end(config, tmp_path):
    path = tmp_path / "drift.png"
    stream = build_stream(config("watch=page_hinkley", *FAST, f"watch.picture='{path}'"))
    stream.watch.finish()
    assert not path.exists()  # of nothing
    list(stream(LINES))
    stream.watch.finish()
    assert path.read_bytes().startswith(b"\x89PNG")
    assert len(stream.watch.history.blocks) == len(LINES)
    unpainted = build_stream(config("watch=page_hinkley"))
    list(unpainted(LINES))
    assert unpainted.watch.history.blocks == []


@pytest.mark.parametrize("mistake", [False, True])
def test_the_command_draws_what_was_seen_even_where_a_line_is_a_mistake(config, tmp_path, monkeypatch, capsys, mistake):
    path, lines = tmp_path / "drift.svg", [json.dumps({"source": text}).encode() for text in USUAL]
    monkeypatch.setattr(command, "lines_of_stdin", lambda: [*lines, b"nothing\n"] if mistake else lines)
    options = ["watch=page_hinkley", "input=json", f"watch.picture='{path}'"]
    with pytest.raises(UserError, match="line 7 must be a JSON object") if mistake else nullcontext():
        command.translate(config(*options))
    assert path.read_bytes().startswith(b"<?xml")
    assert len(capsys.readouterr().out.splitlines()) == len(USUAL)


# Mistakes


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["watch=adwin", "watch.picture=a.gif"], "watch.picture must end in .png, .svg, .pdf, but is a.gif."),
        (["watch=adwin", "watch.detectors.adwin.delta=2.0"], "watch.detectors.adwin.delta must be above 0 and below 1"),
        (["watch=page_hinkley", "watch.limit=-1.0"], "watch.limit must be above 0, but is -1.0."),
        (["watch=page_hinkley", "watch.limit=high"], "watch.limit must be float, but is 'high'."),
        (
            ["watch=both", "watch.detectors.adwin=null"],
            "watch.detectors must be classes of Detector, each with _partial",
        ),
        (["watch=page_hinkley", "watch.detectors=null"], "watch.detectors must be "),
        (["+watch._target_=seq2seq.drift.adwin.Adwin"], "watch must be built by seq2seq.drift.watch.Watch, but is not"),
    ],
)
def test_a_wrong_option_is_named(config, overrides, message):
    with pytest.raises(UserError) as error:
        build_stream(config(*overrides))
    assert str(error.value).startswith(message)


def test_a_file_that_cannot_be_written_is_told_before_a_line_is_read(config, tmp_path):
    with pytest.raises(OSError, match=str(tmp_path)):
        build_stream(config("watch=adwin", f"watch.file='{tmp_path}'"))


def test_words_that_are_said_before_a_line_is_whole_are_not_watched(config):
    with pytest.raises(UserError, match=r"^watch must be none with simultaneous, which has no whole lines, but is "):
        build_live_stream(config("simultaneous=wait_k", "watch=adwin"))


def test_a_run_of_this_version_needs_no_reference(config_of, finished, caplog):
    config = config_of("translate", f"run='{finished}'", "device=cpu", "watch=page_hinkley")
    assert build_stream(config).watch.watch.usual == load_run(Path(finished)).signals
