import gzip
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.data.text_files import read_lines
from seq2seq.errors import UserError

# What str.splitlines would cut at, though a line of text may contain it.
SEPARATORS = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\r"
inner = st.characters(codec="utf-8", exclude_characters="\n\r\ufeff") | st.sampled_from(SEPARATORS.replace("\r", ""))
lines_of_text = st.lists(st.text(inner), min_size=1).filter(lambda lines: "".join(lines).strip())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("text_files")


def error_of(path: Path) -> str:
    with pytest.raises(UserError) as error:
        read_lines(path)
    return str(error.value)


@settings(deadline=None, max_examples=60)
@given(
    lines=lines_of_text,
    newline=st.sampled_from(["\n", "\r\n"]),
    ended=st.booleans(),
    bom=st.booleans(),
    zipped=st.booleans(),
)
def test_lines_read_are_lines_written(folder, lines, newline, ended, bom, zipped):
    if not ended and not lines[-1]:
        lines[-1] = "."  # an empty last line that no newline ends is no line
    raw = (newline.join(lines) + newline * ended).encode("utf-8-sig" if bom else "utf-8")
    path = folder / ("text.gz" if zipped else "text.txt")
    path.write_bytes(gzip.compress(raw, mtime=0) if zipped else raw)
    assert read_lines(path) == lines


@pytest.mark.parametrize("separator", SEPARATORS)
def test_only_newlines_end_a_line(tmp_path, separator):
    path = tmp_path / "text.txt"
    path.write_bytes(f"a{separator}b\nc\n".encode())
    assert read_lines(path) == [f"a{separator}b", "c"]


def test_empty_lines_stay_so_that_parallel_files_stay_aligned(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"\na\n\n\nb\n\n")
    assert read_lines(str(path)) == ["", "a", "", "", "b", ""]


def test_a_missing_file_is_named_with_where_relative_paths_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = f"no.txt does not exist: give the path of a file (relative ones start at {tmp_path})."
    assert error_of(Path("no.txt")) == expected
    (tmp_path / "no.txt").mkdir()
    assert error_of(Path("no.txt")) == "no.txt is a folder: give the path of a file in it."


def test_an_empty_path_is_none():
    assert error_of("") == "'' is no path: give the path of a file."


def test_a_pipe_is_read_like_a_file():
    reading, writing = os.pipe()
    os.write(writing, "é\ta\n".encode())
    os.close(writing)
    assert read_lines(f"/dev/fd/{reading}") == ["é\ta"]
    os.close(reading)


@pytest.mark.parametrize("raw", [b"", b"\n", b" \r\n\t\n", b"\xef\xbb\xbf"])
def test_a_file_without_text_is_refused(tmp_path, raw):
    path = tmp_path / "text.txt"
    path.write_bytes(raw)
    assert error_of(path) == f"The data file {path} is empty: it must hold at least one line."


@pytest.mark.parametrize(
    ("raw", "line"),
    [(b"\xff", 1), (b"a\nb\ncaf\xe9\nd\n", 3), (b"\xef\xbb\xbfa\n\xff", 2), ("a\n".encode("utf-16"), 1)],
)
@pytest.mark.parametrize("name", ["text.txt", "text.gz"])
def test_the_first_line_that_is_not_utf8_is_named(tmp_path, raw, line, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw, mtime=0) if name.endswith(".gz") else raw)
    assert error_of(path) == f"{path}, line {line} is not UTF-8: convert the file, for example with iconv."


@pytest.mark.parametrize(
    "raw", [b"plain text\n", b"", gzip.compress(b"many words\n" * 99, mtime=0)[:-12], b"\x1f\x8b\x08" + b"\0" * 30]
)
def test_a_gz_file_that_cannot_be_unpacked_is_named(tmp_path, raw):
    path = tmp_path / "text.gz"
    path.write_bytes(raw)
    assert re.fullmatch(
        f"{re.escape(str(path))} cannot be unpacked as gzip: .*|The data file .* is empty: .*", error_of(path)
    )
