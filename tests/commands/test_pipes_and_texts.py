"""Files that can be read but once, and texts that are none, given to commands."""

import os
import threading

import pytest
from line_streams import build_stream

from seq2seq.commands.compress import compress
from seq2seq.commands.exporting import page_export
from seq2seq.commands.exporting.exported_sources import ExportedSources
from seq2seq.commands.interpret import interpret
from seq2seq.errors import UserError
from seq2seq.runs.run import load_run

PAIRS = b"a b\tb a\nc\tc\nd e f\tf e d\n"
HALF = "caf\udce9"  # as Python hands over what was typed in another encoding


@pytest.fixture
def pipe(tmp_path):
    """The path of a pipe that pairs come out of, once."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(PAIRS,), daemon=True).start()
    return path


def test_compress_reads_a_pipe(finished, config_of, tmp_path, pipe):
    given = f"run={finished}", "to=float16", f"file={pipe}", f"out={tmp_path / 'out'}", "device=cpu"
    assert compress(config_of("compress", *given))["sentences"] == 3


@pytest.mark.parametrize("int8", [True, False])
def test_export_reads_a_pipe(finished, pipe, int8):
    run = load_run(finished)
    found = ExportedSources.load(run, {"file": str(pipe), "split": None, "sentences": 2, "int8": int8})
    assert len(found.lines) == 2
    assert set(found.lines) < {"a b", "c", "d e f"}
    if int8:
        scores = found.scores(run, {"float32": run.model})
        assert (scores["data"], scores["sentences"]) == (str(pipe), 3)


@pytest.mark.parametrize("name", ["text", "target", "example", "tag"])
def test_a_text_of_another_encoding_is_told(finished, config_of, name, tmp_path):
    def tell():
        if name == "example":
            return page_export.place({"example": HALF, "out": str(tmp_path / "x.html"), "run": str(finished)})
        command, run = ("translate", build_stream) if name == "tag" else ("interpret", interpret)
        config = config_of(command, f"run={finished}", *(["text=a", "target=b"] if name != "tag" else []))
        config[name] = HALF
        return run(config)

    with pytest.raises(UserError) as error:
        tell()
    assert str(error.value) == (
        f"{name} must hold whole characters, but has half a surrogate pair, '\\udce9', at 3: take it out, or read the "
        "text as UTF-8 anew."
    )
