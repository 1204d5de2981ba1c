"""Decoding speed of a run, measured in bulk and line by line."""

import time

import pytest

from seq2seq.commands.benchmark import benchmark_config
from seq2seq.errors import UserError
from seq2seq.translation.speed import benchmark_bulk, benchmark_lines


@pytest.fixture
def report_of(config_of, finished):
    def report(*overrides: str):
        return benchmark_config(config_of("benchmark", "mode=decode", f"run={finished}", "device=cpu", *overrides))

    return report


def test_the_report(report_of):
    report = report_of(
        "sentences=20", "lines=3", "repeats=2", "threads=2", "decoding=beam", "decoding.beam_size=3", "batch_size=9"
    )
    assert list(report) == [
        "mode", "data", "sentences", "decoding", "width", "batch_size", "precision", "lines_per_second",
        "words_per_second", "tokens_per_second", "seconds", "threads", "runtime", "milliseconds_per_line",
    ]  # fmt: skip
    assert (report["mode"], report["data"], report["sentences"]) == ("decode", "dev", 20)
    assert (report["decoding"], report["width"], report["batch_size"]) == ("BeamSearch", 3, 9)
    assert (report["precision"], report["threads"]) == ("float32", 2)
    assert len(report["seconds"]) == 2
    middle = sum(report["seconds"]) / 2
    assert report["lines_per_second"] == pytest.approx(20 / middle, rel=0.05)
    assert report["words_per_second"] >= report["lines_per_second"]
    assert report["tokens_per_second"] > report["lines_per_second"]
    milliseconds = report["milliseconds_per_line"]
    assert 0 < milliseconds["median"] <= milliseconds["percentile_95"] < 60_000
    assert milliseconds["threads"] == 2


def test_sources_come_from_a_file(report_of, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("a b\nc d e\n", encoding="utf-8")
    report = report_of(f"file={path}", "sentences=4", "lines=1", "repeats=1")
    assert report["data"] == str(path)
    assert report["words_per_second"] == pytest.approx(2.5 * report["lines_per_second"], rel=0.01)
    assert report["milliseconds_per_line"]["median"] == report["milliseconds_per_line"]["percentile_95"]


def test_a_line_alone_is_measured_with_products_for_one(report_of, monkeypatch):
    packed, measured = [], []

    def noting(model, products, ranges):
        packed.append(products.rows)
        return model

    def note(translator, texts, **options):
        measured.append(packed[-1])
        return {}

    monkeypatch.setattr("seq2seq.runs.run.pack", noting)
    for name in ("benchmark_bulk", "benchmark_lines"):
        monkeypatch.setattr(f"seq2seq.commands.benchmark.{name}", note)
    report_of("sentences=4", "lines=1", "repeats=1", "batch_size=9")
    assert measured == [9, 1]


@pytest.mark.parametrize("name", ["sentences", "lines", "repeats"])
def test_counts_must_be_at_least_1(report_of, name):
    with pytest.raises(UserError) as error:
        report_of(f"{name}=0")
    assert str(error.value) == f"{name} must be a whole number of at least 1, but is 0."


# What is measured, with a clock of our own


@pytest.fixture
def clock(monkeypatch):
    """Time stands still but for what a translation takes: seconds by text."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_bulk_counts_lines_words_and_tokens_with_their_ends(echo, clock, monkeypatch):
    seconds = iter([100.0, 2.0, 8.0, 4.0])  # the first warms up
    translations = echo.translations

    def slow(lines):
        clock[0] += next(seconds)
        return translations(lines)

    monkeypatch.setattr(echo, "translations", slow)
    assert benchmark_bulk(echo, ["ab c", "d", "e f g h"], repeats=3) == {
        "lines_per_second": 0.8,  # 3 in 4 seconds, rounded to even
        "words_per_second": 1.8,  # 7
        "tokens_per_second": 3.8,  # 4 + 1 + 7 and 3 ends
        "seconds": [2.0, 8.0, 4.0],
    }


@pytest.mark.parametrize(("count", "median", "slow"), [(1, 1.0, 1.0), (3, 2.0, 3.0), (40, 20.5, 38.0)])
def test_lines_are_timed_one_by_one_after_a_few_to_warm_up(echo, clock, monkeypatch, count, median, slow):
    texts = [str(number) for number in range(1, count + 1)]
    asked: list[str] = []

    def taking_its_number(lines):
        (line,) = lines
        asked.append(line.source)
        clock[0] += int(line.source) / 1000
        return [[type("", (), {"text": ""})]]

    monkeypatch.setattr(echo, "translations", taking_its_number)
    assert benchmark_lines(echo, texts) == {"median": median, "percentile_95": slow}
    assert asked == [*texts[:10], *texts]
