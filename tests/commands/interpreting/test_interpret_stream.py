import io
import json
import sys

import pytest

from seq2seq.commands.interpret import interpret
from seq2seq.commands.interpreting import interpret_stream as command
from seq2seq.commands.interpreting import report_folder
from seq2seq.commands.interpreting.interpret_stream import OF_STREAMS, OF_TEXTS, LineFeeder, read_stream
from seq2seq.commands.train import train
from seq2seq.config.contract import read_options
from seq2seq.data.line_parts import LinePart
from seq2seq.errors import UserError
from seq2seq.interpretation.stream_reader import StreamReader
from seq2seq.runs.run import load_run
from seq2seq.symbols import EOS

LINES = ["a b c", "", "d e f a", "b", "c d e f a b c"] * 5
TOKENS = 5 * (4 + 5 + 2 + 8)


@pytest.fixture(scope="module")
def one_way(tiny_config, tmp_path_factory):
    """A run whose encoder reads streams."""
    folder = tmp_path_factory.mktemp("one_way") / "run"
    folder.mkdir()
    train(
        tiny_config("model.encoder.direction=forward", "model.encoder.hidden_size=16", "budget.max_steps=4"),
        folder,
        resume=False,
    )
    return folder


@pytest.fixture(scope="module")
def reading(one_way):
    """The reader behind lines, by how the state is renewed: reading("line", alarms)."""
    run = load_run(one_way)

    def read(reset, alarms=(), lines=LINES):
        reader = StreamReader(run.model.encoder)
        parts = [LinePart(number, line, ended=True) for number, line in enumerate(lines, 1)]
        assert read_stream(LineFeeder(reader, run.tokenizers.source, reset), parts, alarms, 3) == len(lines)
        return reader

    return read


@pytest.fixture
def interpreted(config_of, one_way, tmp_path, monkeypatch):
    """Paths of what was written: interpreted("renew=none"), of a stream in a file."""
    (tmp_path / "text.txt").write_text("\n".join(LINES) + "\n")

    def run(*overrides, stream=tmp_path / "text.txt"):
        given = [f"run={one_way}", f"out={tmp_path / 'out'}", "device=cpu", "formats=[svg]", f"stream={stream}"]
        return interpret(config_of("interpret", *given, *overrides))

    return run


def without_pictures(monkeypatch):
    monkeypatch.setattr(report_folder, "_drawn", lambda *_: ())


def test_a_report_and_pictures_are_written(interpreted, tmp_path):
    alarms = [{"line": line, "signal": "nll", "detector": "adwin", "value": 2.5} for line in (20, 3)]
    (tmp_path / "alarms").write_text("\n".join(map(json.dumps, alarms)))
    files = interpreted("renew=none", f"alarms={tmp_path / 'alarms'}", "units=4")
    names = ["report.html", "stream_encoder_1_forward.svg", "time_constants.svg", "marks.svg"]
    assert [path.name for path in files] == names
    page = files[0].read_text()
    assert f"{TOKENS} tokens, read by" in page
    assert "The state was renewed never on the way." in page
    assert page.count("data:image/png;base64,") == 3
    assert page.count('<tr><th scope="row">encoder 1 forward</th>') == 1 + 4
    assert page.index("nll 2.5, adwin, line 3<") < page.index("nll 2.5, adwin, line 20<")
    assert "{{" not in page


def test_stdin_is_a_stream_and_lines_renew_the_state(interpreted, monkeypatch):
    without_pictures(monkeypatch)
    text = io.TextIOWrapper(io.BufferedReader(io.BytesIO("\n".join(LINES).encode())))
    monkeypatch.setattr(sys, "stdin", text)
    (report,) = interpreted(stream="-")
    page = report.read_text()
    assert f"{TOKENS} tokens" in page
    assert "The state was renewed 20 times on the way." in page
    assert "What came before each mark" not in page


def test_the_state_is_renewed_as_is_said(reading):
    where = {}
    for reset in ("line", "none", 7):
        reader = reading(reset)
        assert reader.tokens == TOKENS
        where[reset] = reader.resets.counts.nonzero().flatten().tolist()
    assert where["line"][:5] == [4, 9, 11, 19, 23]
    assert where["none"] == []
    assert where[7] == list(range(7, TOKENS + 1, 7))


def test_what_is_read_is_ids_and_ends_of_lines_that_have_any(one_way, monkeypatch):
    run, read = load_run(one_way), []
    reader = StreamReader(run.model.encoder)
    monkeypatch.setattr(reader, "read", lambda ids, pieces: read.append((list(ids), list(pieces))) or [])
    feeder = LineFeeder(reader, run.tokenizers.source, "none")
    parts = [(1, "a b ", False), (1, "c", False), (1, "", True), (2, "", True), (3, "a", True)]
    for part in parts:
        feeder.feed(LinePart(*part))
    (whole, short) = run.tokenizers.source.encode(["a b c", "a"])
    assert [index for ids, _ in read for index in ids] == [*whole, EOS, *short, EOS]
    pieces = [piece.removeprefix("\u2581") for _, pieces in read for piece in pieces]
    assert pieces == ["a", "b", "c", "</s>", "a", "</s>"]


def test_a_state_carried_on_is_not_one_renewed(reading):
    means = [reading(reset).cells[0].memory.mean for reset in ("line", "none")]
    assert (means[0] - means[1]).abs().max() > 1e-4


def test_marks_are_behind_their_lines(reading):
    alarms = [command.AlarmMark(3, "one"), command.AlarmMark(3, "two"), command.AlarmMark(25, "three")]
    marks = reading("none", alarms).marks
    assert [(mark.label, mark.place) for mark in marks] == [("one", 9), ("two", 9), ("three", TOKENS)]
    assert [piece.removeprefix("\u2581") for piece in marks[0].pieces] == [*"abc", "</s>", *"defa", "</s>"]
    assert len(marks[2].changed) == 3


def test_an_alarm_of_another_stream_is_told(reading):
    with pytest.raises(UserError) as error:
        reading("none", [command.AlarmMark(26, "late")])
    said = "alarms must be of lines of the stream, which has 25, but one is of line 26: give those of this stream."
    assert str(error.value) == said


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["renew=word"], "renew must be line, none, or a number of tokens of at least 1, but is 'word'."),
        (["renew=0"], "renew must be line, none, or a number of tokens of at least 1, but is 0."),
        (["renew=true"], "renew must be line, none, or a number of tokens of at least 1, but is True."),
        (["text=a"], "text is of one source, and a stream has none of it: leave text out, or stream."),
        (["target=a"], "target is of one source, and a stream has none of it: leave target out, or stream."),
        (["steps=3"], "steps is of one source, and a stream has none of it: leave steps out, or stream."),
        (["units=0"], "units must be a whole number of at least 1, but is 0."),
        (["alarms=[a]"], "alarms must be one file, but is ['a']."),
        (["stream=[a,b]"], "stream must be one file, or -, but is ['a', 'b']."),
        (["formats=[gif]"], "formats must be a list of some of png, svg, pdf, but is ['gif']."),
    ],
)
def test_mistakes_are_told_in_one_line_and_nothing_is_written(interpreted, tmp_path, overrides, message):
    with pytest.raises(UserError) as error:
        interpreted(*overrides)
    assert str(error.value) == message
    assert not (tmp_path / "out").exists()


def test_a_text_has_nothing_of_a_stream(config_of, one_way):
    for option in ("renew=none", "alarms=a"):
        with pytest.raises(UserError, match=r"^(renew|alarms) is of a stream, and one source has none of it: leave"):
            interpret(config_of("interpret", f"run={one_way}", "text=a", option))
    with pytest.raises(UserError, match=r"^text, frames or stream must be given: "):
        interpret(config_of("interpret", f"run={one_way}"))


def test_an_encoder_that_reads_both_ways_is_refused_by_name(interpreted, finished, tmp_path):
    with pytest.raises(UserError, match=r"^stream cannot be had with this model: direction must be forward, or block_"):
        interpreted(f"run={finished}")
    assert not (tmp_path / "out").exists()


def test_files_without_a_token_or_that_are_none_are_told(interpreted, tmp_path):
    (tmp_path / "empty").write_text("\n\n")
    with pytest.raises(UserError, match=r"^stream must have at least one token, but empty has none: give another\.$"):
        interpreted(stream=tmp_path / "empty")
    with pytest.raises(UserError, match=r"^stream=.*nowhere does not exist"):
        interpreted(stream=tmp_path / "nowhere")


def test_what_is_not_finite_is_told_and_not_drawn(interpreted, tmp_path, monkeypatch):
    def broken(options):
        run = load_run(options["run"])
        run.model.encoder.stack.layers[0].forwards.gates["forget"].set_bias(float("nan"))
        return [run]

    monkeypatch.setattr(command, "load_runs", broken)
    with pytest.raises(UserError, match=r"^Activations of encoder 1 forward are not finite: "):
        interpreted()
    assert not (tmp_path / "out").exists()


def test_options_of_texts_and_streams_are_known_by_their_defaults(config_of):
    config = read_options(config_of("interpret", "run=x"))
    assert {name: config[name] for name in OF_TEXTS | OF_STREAMS} == OF_TEXTS | OF_STREAMS
