"""What commands make of stdin and of files that are given in its place."""

import io
import sys

import pytest

from seq2seq.commands.adapt import adapt
from seq2seq.commands.adapting.pair_stream import PairStream
from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.forecast import forecast
from seq2seq.commands.interpret import interpret
from seq2seq.commands.score import score, score_lines
from seq2seq.commands.translate import translate
from seq2seq.config.command_line import lines_of_stdin
from seq2seq.errors import UserError
from seq2seq.runs.run import load_run

UTF_16 = "stdin must hold text, but is UTF-16: convert it to UTF-8, for example with iconv -f UTF-16 -t UTF-8."


@pytest.fixture
def stdin(monkeypatch):
    """Have stdin hold bytes; None: be closed."""
    return lambda data: monkeypatch.setattr(sys, "stdin", data and io.TextIOWrapper(io.BytesIO(data), "utf-8"))


def refusal(function) -> str:
    with pytest.raises(UserError) as error:
        function()
    return str(error.value)


def test_every_command_that_reads_lines_tells_a_stream_that_is_no_text(stdin, config_of, finished):
    pairs = "a b\tb a\n".encode("utf-16")
    run = f"run={finished}"
    stdin(pairs)
    assert refusal(lambda: translate(config_of("translate", run))) == UTF_16
    stdin(pairs)
    assert refusal(lambda: list(score_lines(config_of("score", run), lines_of_stdin()))) == UTF_16
    stdin(pairs)
    stream = PairStream("-", "auto", load_run(finished).tokenizers, max_length=256)
    assert refusal(lambda: list(stream)) == UTF_16


def test_stdin_is_asked_for_nothing_where_it_is_not_read(stdin, config_of, finished):
    stdin(None)
    said = refusal(lambda: list(score_lines(config_of("score", f"run={finished}", "file=x.npz"), lines_of_stdin())))
    assert said == f"file must be null with run={finished}, which reads lines of text from stdin, but is x.npz."
    assert refusal(lambda: list(lines_of_stdin())) == "stdin is closed: give lines with < FILE, or by a pipe."


def test_new_pairs_are_text_wherever_they_come_from(stdin, finished, tmp_path, caplog):
    tokenizers, path = load_run(finished).tokenizers, tmp_path / "new.tsv"
    path.write_bytes(b"a b\tb a\nc\0\tc\nd\td\n")
    for name in ("-", str(path)):
        stdin(path.read_bytes())
        stream = PairStream(name, "tsv", tokenizers, max_length=256)
        assert [example.source for example in stream] == ["a b", "d"]
        assert stream.counts["no_pairs"] == 1
        assert caplog.messages[-1] == "line 2 must hold text, but has a NUL at 1, as UTF-16 has. It is left out"


READING = {
    "translate": (translate, "file"),
    "score": (score, "file"),
    "adapt": (adapt, "in"),
    "interpret": (interpret, "stream"),
}


@pytest.mark.parametrize("command", READING)
def test_what_cannot_be_read_is_told_before_a_model_is_loaded(command, stdin, config_of, tmp_path, monkeypatch):
    function, option = READING[command]
    run = "run=/no/run"
    stdin(None)
    from_stdin = config_of(command, run, *([] if option == "file" else [f"{option}=-"]))
    assert refusal(lambda: function(from_stdin)) == "stdin is closed: give lines with < FILE, or by a pipe."
    path = tmp_path / "both.npz"
    with path.open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        said = refusal(lambda: function(config_of(command, run, f"{option}={path}")))
    assert said == f"{option}={path} is what stdout is written to: write to another file."


@pytest.mark.parametrize(("command", "function"), [("evaluate", evaluate_run), ("forecast", forecast)])
def test_nor_do_others_write_to_the_file_that_they_read(command, function, config_of, tmp_path, monkeypatch):
    path = tmp_path / "both.npz"
    with path.open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        said = refusal(lambda: function(config_of(command, "run=/no/run", f"file={path}")))
    assert said == f"file={path} is what stdout is written to: write to another file."
