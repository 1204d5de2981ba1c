import bz2
import gzip
import io
import lzma
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.data.packed_files import text_chunks, text_lines
from seq2seq.data.text_files import read_lines
from seq2seq.errors import UserError

# What str.splitlines would cut at, though a line of text may contain it.
SEPARATORS = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\r"
inner = st.characters(codec="utf-8", exclude_characters="\n\r\0\ufeff") | st.sampled_from(SEPARATORS.replace("\r", ""))
lines_of_text = st.lists(st.text(inner), min_size=1).filter(lambda lines: "".join(lines).strip())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("text_files")


def test_an_address_is_no_file():
    for address in ("https://example.org/pairs.tsv", "s3://bucket/pairs.tsv"):
        said = f"{address} is an address, and files alone are read: fetch it first, and give its path."
        assert error_of(Path(address)) == said
    assert "does not exist" in error_of(Path("C:/pairs.tsv"))


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
    assert (
        error_of(Path("*.txt"))
        == "*.txt does not exist: give the path of one file, as patterns and lists are not read."
    )
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
    [(b"\xff", 1), (b"a\nb\ncaf\xe9\nd\n", 3), (b"\xef\xbb\xbfa\n\xff", 2)],
)
@pytest.mark.parametrize("name", ["text.txt", "text.gz"])
def test_the_first_line_that_is_not_utf8_is_named(tmp_path, raw, line, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw, mtime=0) if name.endswith(".gz") else raw)
    assert error_of(path) == f"{path}, line {line} is not UTF-8: convert the file, for example with iconv."


PACKED = {
    "gzip": gzip.compress(b"many words\n" * 99, mtime=0),
    "bzip2": bz2.compress(b"many\n" * 99),
    "xz": lzma.compress(b"words\n" * 9),
}


@pytest.mark.parametrize("name", ["text", "text.tsv", "text.gz", "text.bz2", "text.zst"])
@pytest.mark.parametrize("kind", PACKED)
def test_a_packed_file_is_read_whatever_it_is_called(tmp_path, kind, name):
    path = tmp_path / name
    path.write_bytes(PACKED[kind])
    assert set(read_lines(path)) <= {"many words", "many", "words"}


@pytest.mark.parametrize("name", ["text.gz", "text.xz", "text.bz2"])
@pytest.mark.parametrize("text", ["plain text", "BZh9 is a word", "PK", "PAR1 is a gene", "PAR1\tgene"])
def test_a_plain_file_is_read_whatever_it_is_called(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(f"{text}\n")
    assert read_lines(path) == [text]


@pytest.mark.parametrize("kind", PACKED)
def test_a_packed_file_that_cannot_be_unpacked_is_named(tmp_path, kind):
    path = tmp_path / "text"
    path.write_bytes(PACKED[kind][:-12])
    said = error_of(path)
    assert said.startswith(f"{path} cannot be unpacked as {kind}: ")
    assert said.endswith(": copy or pack it anew.")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"PK\x03\x04\x14\0", "a zip archive or a spreadsheet: unpack it, or save it as CSV or as text with tabs."),
        (b"\x28\xb5\x2f\xfd\x04", "packed by zstd: unpack it first, or pack it by gzip, bzip2 or xz."),
        (b"PAR1\x15\x04\x15", "Parquet: read it by data=parquet."),
        (b"%PDF-1.7\n", "a PDF: give its text."),
        (b"\x89PNG\r\n\x1a\n", "a picture: give text."),
        ("a\tb\n".encode("utf-16"), "UTF-16: convert it to UTF-8, for example with iconv -f UTF-16 -t UTF-8."),
        ("a\tb\n".encode("utf-32"), "UTF-32: convert it to UTF-8, for example with iconv -f UTF-32 -t UTF-8."),
    ],
)
def test_what_is_no_text_is_told_by_its_kind(tmp_path, raw, kind, packed):
    path = tmp_path / "text.tsv"
    path.write_bytes(gzip.compress(raw) if packed else raw)
    assert error_of(path) == f"{path} must hold text, but is {kind}"


def test_a_nul_is_no_text(tmp_path):
    path = tmp_path / "text.tsv"
    path.write_bytes("ab\tcd\n".encode("utf-16-le"))
    said = error_of(path)
    assert said.startswith(f"{path}, line 1 must hold text, but has a NUL at 1: ")
    assert said.endswith("convert it, for example with iconv -f UTF-16LE -t UTF-8.")


def test_lines_of_old_macs_are_cut_at_carriage_returns_where_there_is_no_newline(tmp_path):
    path = tmp_path / "text.tsv"
    path.write_bytes(b"\xef\xbb\xbfa\tb\r\rc\td\r")
    assert read_lines(path) == ["a\tb", "", "c\td"]
    path.write_bytes(b"a\rb\rc\n")
    assert read_lines(path) == ["a", "b", "c"]
    for line in ("a\tb", "a\rb"):  # one carriage return is part of a line, or of its end
        path.write_bytes(line.encode() + b"\r" * (line == "a\tb"))
        assert read_lines(path) == [line]


UTF_16 = "convert it to UTF-8, for example with iconv -f UTF-16 -t UTF-8."


@pytest.mark.parametrize(
    ("raw", "said", "read"),
    [
        (PACKED["gzip"], "is packed by gzip: unpack it first, as zcat does.", 0),
        (PACKED["bzip2"], "is packed by bzip2: unpack it first, as bzcat does.", 0),
        (PACKED["xz"], "is packed by xz: unpack it first, as xzcat does.", 0),
        (
            b"PK\x03\x04\x14\0",
            "is a zip archive or a spreadsheet: unpack it, or save it as CSV or as text with tabs.",
            0,
        ),
        ("ab\ncd\n".encode("utf-16"), f"is UTF-16: {UTF_16}", 0),
        ("\ufeffab\ncd\n".encode("utf-16-be"), f"is UTF-16: {UTF_16}", 0),
        ("αβ\nγ\n".encode("utf-16"), f"is UTF-16: {UTF_16}", 1),  # whose first line could be of anything
        ("ab\n".encode("utf-32"), "is UTF-32: convert it to UTF-8, for example with iconv -f UTF-32 -t UTF-8.", 0),
    ],
)
def test_a_stream_that_is_no_text_is_told_at_its_first_lines(raw, said, read):
    found = []
    with pytest.raises(UserError) as error:
        found.extend(text_lines(io.BytesIO(raw), "stdin"))
    assert str(error.value) == f"stdin must hold text, but {said}"
    assert len(found) == read


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"\0\n\0\n",
        b"a\0b\n\0\n",
        b"a\0b\0\nc\n",
        "ab\ncd\n".encode("utf-16-le"),  # without a mark
        b"\xff\xfe\nab\n",
        b"\xff\xfe a\n\xfe\xff\n",
        b"\xfe\xff",
        b"\xef\xbb\xbfab\n",
        b"\xed\xa0\x80\n\xc3\n",
        b"BZh9 is a word\nPAR1 is a gene",
        b"ab\n\x1f\x8b\x08\0\n\xff\xfea\0\n",
    ],
)
def test_a_stream_of_any_other_bytes_comes_through_line_by_line(raw):
    assert b"".join(text_lines(io.BytesIO(raw), "stdin")) == raw


def test_chunks_of_a_stream_that_is_no_text_are_told_and_others_come_through():
    for raw in (PACKED["gzip"], "ab\n".encode("utf-16")):
        with pytest.raises(UserError, match="^stdin must hold text, but is "):
            list(text_chunks([raw], "stdin"))
    for raw in (b"ab\xff\nc", b"\xff\xfe\nab\0", b"\0"):
        assert list(text_chunks([raw, raw], "stdin")) == [raw, raw]


def test_a_stream_is_asked_for_no_line_before_it_is_needed():
    lines = iter([b"a\n", b"b\n", b"c\n"])
    stream = text_lines(lines, "stdin")
    assert next(stream) == b"a\n"
    assert next(lines) == b"b\n"
