"""A clock that is set back, and data that vanish or change while they are read."""

import csv
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wholeness import assert_same_weights, check_whole

from seq2seq.data import text_files


@pytest.fixture
def pairs(tmp_path) -> Path:
    """Files of pairs in a folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name, size in (("train", 40), ("dev", 6), ("test", 6)):
        words = [f"{name[0]} {'abc'[number % 3]} {'defg'[number % 4]} {'hijkl'[number % 5]}" for number in range(size)]
        (folder / name).write_text("".join(f"{text}\t{text[::-1]}\n" for text in words), encoding="utf-8")
    return folder


def test_a_clock_that_is_set_back_changes_nothing_that_is_learnt(ended, tmp_path, monkeypatch):
    assert ended(tmp_path / "steady", "logger=csv").code == 0
    now, calls = time.time, []

    def back() -> float:
        calls.append(1)
        return now() - (1e9 if len(calls) > 5 else 0.0)

    monkeypatch.setattr(time, "time", back)
    end = ended(tmp_path / "run", "logger=csv")
    monkeypatch.undo()
    assert end.code == 0, end.said
    check_whole(tmp_path / "run")
    assert_same_weights(tmp_path / "run", tmp_path / "steady")
    with (tmp_path / "run" / "metrics" / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    counted = [key for key in rows[0] if "per_second" in key or "seconds" in key]
    assert counted
    assert all(float(row[key]) >= 0 for row in rows for key in counted if row[key])


@pytest.mark.parametrize("name", ["train", "dev"])
@pytest.mark.parametrize("fault", ["gone", "broken", "cut"])
def test_data_that_fail_while_they_are_read_are_one_line(ended, pairs, tmp_path, monkeypatch, name, fault):
    read = text_files.raw_lines

    def failing(path: Path) -> Iterator[bytes]:
        if path != pairs / name:
            yield from read(path)
            return
        if fault == "gone":
            path.unlink(missing_ok=True)
        lines = list(read(path))
        yield from lines[:-1]
        if fault == "broken":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        yield lines[-1].partition(b"\t")[0]

    monkeypatch.setattr(text_files, "raw_lines", failing)
    files = [f"data.{split}={pairs / split}" for split in ("train", "dev", "test")]
    said = ended(tmp_path / "run", "data=tsv", "tokenizer=word", *files, "logger=none").mistake
    wanted = {"gone": str(pairs / name), "broken": "Input/output error", "cut": "tab"}[fault]
    assert wanted in said
    assert not (tmp_path / "run").exists()
