"""Streams as shells and other programs hand them over: no line is lost, and what cannot be is one line."""

import os
import re
import subprocess
import sys
import threading
import time

import pytest

from seq2seq.config.command_line import chunks_of_stdin, lines_of_stdin, write_lines
from seq2seq.errors import UserError
from seq2seq.standard_streams import check_output, fill_closed, have_them_wait, is_output


@pytest.fixture
def stream(monkeypatch):
    """Have a handle be stdin or stdout: stream("stdin", handle)."""
    opened = []

    def become(name, handle):
        file = open(handle, "r" if name == "stdin" else "w", encoding="utf-8")  # noqa: SIM115
        opened.append(file)
        monkeypatch.setattr(sys, name, file)

    yield become
    for file in opened:
        file.close()


def later(handle: int, parts: list[bytes], seconds: float = 0.05) -> threading.Thread:
    """Parts that come one by one, as out of a slow program."""

    def write() -> None:
        for part in parts:
            time.sleep(seconds)
            os.write(handle, part)
        os.close(handle)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


@pytest.mark.parametrize("waits", [True, False])
def test_lines_that_come_slowly_are_all_read_whether_or_not_the_pipe_was_made_to_wait(stream, waits):
    reading, writing = os.pipe()
    os.set_blocking(reading, waits)
    stream("stdin", reading)
    have_them_wait()
    thread = later(writing, [b"a", b"b\n", b"\n", b"c"])
    assert list(lines_of_stdin()) == [b"ab\n", b"\n", b"c"]
    thread.join()


def test_text_that_comes_slowly_is_all_read(stream):
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    stream("stdin", reading)
    have_them_wait()
    thread = later(writing, [b"a", b"b\n", b"c"])
    assert b"".join(chunks_of_stdin()) == b"ab\nc"
    thread.join()


def test_lines_that_are_read_slowly_are_all_written(stream):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    stream("stdout", writing)
    have_them_wait()
    lines, found = ["a" * 1000] * 200, []  # more than a pipe holds

    def read() -> None:
        time.sleep(0.2)
        with open(reading, encoding="utf-8") as file:
            found.extend(file.read().splitlines())

    thread = threading.Thread(target=read)
    thread.start()
    write_lines(lines)
    sys.stdout.close()
    thread.join()
    assert found == lines


@pytest.mark.parametrize("mode", [os.O_APPEND, os.O_TRUNC, 0])
def test_a_file_that_is_read_while_it_is_written_is_refused_before_its_first_line(stream, tmp_path, mode):
    path = tmp_path / "both.txt"
    path.write_bytes(b"ab\n")
    stream("stdin", os.open(path, os.O_RDONLY))
    stream("stdout", os.open(path, os.O_WRONLY | mode))
    for read in (lines_of_stdin, chunks_of_stdin):
        with pytest.raises(UserError) as error:
            next(read())
        assert str(error.value) == (
            "stdin and stdout must be two files, but are one, which would be read while it is written: write to "
            "another with > FILE."
        )
    assert path.read_bytes() == (b"" if mode == os.O_TRUNC else b"ab\n")


def test_devices_and_pipes_and_other_files_may_be_both(stream, tmp_path):
    stream("stdin", os.open(os.devnull, os.O_RDONLY))
    stream("stdout", os.open(os.devnull, os.O_WRONLY))
    assert list(lines_of_stdin()) == []
    for name in ("in", "out"):
        (tmp_path / name).write_bytes(b"ab\n")
    stream("stdin", os.open(tmp_path / "in", os.O_RDONLY))
    stream("stdout", os.open(tmp_path / "out", os.O_WRONLY))
    assert list(lines_of_stdin()) == [b"ab\n"]


def test_a_path_of_the_output_is_known_by_any_of_its_names(stream, tmp_path):
    path, link, other = tmp_path / "out", tmp_path / "link", tmp_path / "other"
    path.write_bytes(b"")
    other.write_bytes(b"")
    link.symlink_to(path)
    stream("stdout", os.open(path, os.O_WRONLY))
    assert is_output(path)
    assert is_output(link)
    assert not is_output(other)
    assert not is_output(tmp_path / "none")


def test_streams_that_are_open_the_wrong_way_round_are_told(stream, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"ab\n")
    stream("stdin", os.open(path, os.O_RDONLY))
    reading, writing = os.pipe()
    with open(writing, "w", encoding="utf-8") as written:
        sys.stdin.close()
        sys.stdin = written
        with pytest.raises(UserError, match=re.escape("stdin can be written alone: give lines with < FILE, or by")):
            next(lines_of_stdin())
    sys.stdin = None
    with pytest.raises(UserError, match="stdin is closed"):
        next(lines_of_stdin())
    before = sys.stdout
    with open(reading, encoding="utf-8") as read:
        try:
            sys.stdout = read
            with pytest.raises(UserError, match="stdout can be read alone: leave it as it is, or write it to a file"):
                check_output()
        finally:
            sys.stdout = before


def test_places_of_closed_streams_are_taken_by_no_file(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(
        "import os\nfrom seq2seq.standard_streams import fill_closed\nfill_closed()\n"
        f"handle = os.open({str(tmp_path / 'kept')!r}, os.O_WRONLY | os.O_CREAT)\n"
        "os.write(2, b'a complaint')\nos.write(1, str(handle > 2).encode())\n",
        encoding="utf-8",
    )
    line = f"{sys.executable} {own} <&- 2>&-"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "True"
    assert (tmp_path / "kept").read_bytes() == b""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not list its handles")
def test_where_no_stream_is_closed_no_handle_is_kept():
    before = len(os.listdir("/proc/self/fd"))
    fill_closed()
    assert len(os.listdir("/proc/self/fd")) == before
