"""Streams as shells and other programs hand them over: no line is lost, and what cannot be is one line."""

import io
import os
import re
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from seq2seq.config.command_line import chunks_of_stdin, lines_of_stdin, write_lines
from seq2seq.errors import UserError
from seq2seq.standard_streams import check_output, check_source, fill_closed, is_output, waiting_streams


class Noticed(io.FileIO):
    """A file of which it is known when it is read or written: `begun` is released as each call begins."""

    def __init__(self, handle, mode, begun):
        super().__init__(handle, mode)
        self.begun = begun

    def readinto(self, buffer):
        self.begun.release()
        return super().readinto(buffer)

    def write(self, data):
        self.begun.release()
        return super().write(data)


@pytest.fixture
def stream(monkeypatch):
    """Have a handle be stdin or stdout, and give what is released whenever it is used: stream("stdin", handle)."""
    opened = []

    def become(name, handle):
        begun = threading.Semaphore(0)
        raw = Noticed(handle, "r" if name == "stdin" else "w", begun)
        buffered = io.BufferedReader(raw) if name == "stdin" else io.BufferedWriter(raw)
        file = io.TextIOWrapper(buffered, encoding="utf-8")
        opened.append(file)
        monkeypatch.setattr(sys, name, file)
        return begun

    yield become
    for file in opened:
        file.close()


def later(handle: int, parts: list[bytes], begun: threading.Semaphore) -> threading.Thread:
    """Parts that come one by one, as out of a slow program: each once the one before is read and more is asked for."""

    def write() -> None:
        for part in parts:
            begun.acquire(timeout=20)
            os.write(handle, part)
        os.close(handle)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


def filled(handle: int) -> bytes:
    """What a pipe that does not wait holds once it is full."""
    held = 0
    with suppress(BlockingIOError):
        while True:
            held += os.write(handle, b".")
    return b"." * held


@pytest.mark.parametrize("waits", [True, False])
def test_lines_that_come_slowly_are_all_read_whether_or_not_the_pipe_was_made_to_wait(stream, waits):
    reading, writing = os.pipe()
    os.set_blocking(reading, waits)
    thread = later(writing, [b"a", b"b\n", b"\n", b"c"], stream("stdin", reading))
    with waiting_streams():
        assert list(lines_of_stdin()) == [b"ab\n", b"\n", b"c"]
    thread.join()


def test_text_that_comes_slowly_is_all_read(stream):
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    thread = later(writing, [b"a", b"b\n", b"c"], stream("stdin", reading))
    with waiting_streams():
        assert b"".join(chunks_of_stdin()) == b"ab\nc"
    thread.join()


def test_lines_that_are_read_slowly_are_all_written(stream):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    begun, before = stream("stdout", writing), filled(writing)
    lines, found = ["a" * 1000] * 200, []  # more than a pipe holds

    def read() -> None:
        begun.acquire(timeout=20)
        with open(reading, "rb") as file:
            found.append(file.read())

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    with waiting_streams():
        write_lines(lines)
        sys.stdout.close()
    thread.join()
    assert found == [before + "".join(f"{line}\n" for line in lines).encode()]


@pytest.mark.parametrize("waits", [True, False])
def test_whether_an_open_file_waits_is_given_back_as_it_was(stream, waits):
    reading, writing = os.pipe()
    other = os.dup(writing)  # of the shell, and of all that it starts
    os.set_blocking(other, waits)
    stream("stdout", writing)
    with waiting_streams():
        assert os.get_blocking(other)
        sys.stdout.close()
    assert os.get_blocking(other) is waits
    os.close(other)
    os.close(reading)


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
        with pytest.raises(UserError, match=re.escape("stdin is open for writing only: give lines with < FILE")):
            next(lines_of_stdin())
    sys.stdin = None
    with pytest.raises(UserError, match="stdin is closed"):
        next(lines_of_stdin())
    before = sys.stdout
    with open(reading, encoding="utf-8") as read:
        try:
            sys.stdout = read
            with pytest.raises(UserError, match="stdout is open for reading only: leave it as it is, or write"):
                check_output()
        finally:
            sys.stdout = before


def test_what_an_option_names_is_not_the_file_of_stdout(stream, tmp_path):
    path = tmp_path / "both.tsv"
    path.write_text("a\tb\n")
    check_source("file", str(path))
    stream("stdout", os.open(path, os.O_WRONLY | os.O_APPEND))
    with pytest.raises(UserError) as error:
        check_source("file", str(path))
    assert str(error.value) == f"file={path} is what stdout is written to: write to another file."


def test_places_of_closed_streams_are_taken_by_no_file_of_processes_that_it_starts_either(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(
        "import os, subprocess, sys\nfrom seq2seq.standard_streams import fill_closed\nfill_closed()\n"
        f"handle = os.open({str(tmp_path / 'kept')!r}, os.O_WRONLY | os.O_CREAT)\n"
        "os.write(2, b'a complaint')\nos.write(1, str(handle > 2).encode())\n"
        "begun = 'import sys; print(sys.stdin and sys.stderr and sys.stdin.read() + chr(33))'\n"
        "subprocess.run([sys.executable, '-c', begun], check=True)\n",
        encoding="utf-8",
    )
    line = f"{sys.executable} {own} <&- 2>&-"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "True!\n"
    assert (tmp_path / "kept").read_bytes() == b""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not list its handles")
def test_where_no_stream_is_closed_no_handle_is_kept():
    before = len(os.listdir("/proc/self/fd"))
    fill_closed()
    assert len(os.listdir("/proc/self/fd")) == before
