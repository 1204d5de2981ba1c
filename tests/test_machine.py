"""Which of several ways is fastest here, measured once and kept."""

import json
import os
import runpy
from pathlib import Path

import pytest
import torch

from seq2seq import machine
from seq2seq.machine import can_measure, measured


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """A file of speeds that nothing has been written to, and a process that knows none."""
    path = tmp_path / "a" / "speeds.json"
    monkeypatch.setattr(machine, "file", lambda: path)
    machine._known.cache_clear()
    yield path
    machine._known.cache_clear()


def ways(calls, **seconds):
    """Ways that take so many seconds by the clock, and count their calls."""

    def run(name):
        calls.append(name)
        clock[0] += seconds[name]

    clock = [0.0]
    return {name: lambda name=name: run(name) for name in seconds}, lambda: clock[0]


@pytest.fixture
def timed(monkeypatch):
    def start(**seconds):
        calls = []
        found, clock = ways(calls, **seconds)
        monkeypatch.setattr(machine.time, "perf_counter", clock)
        return found, calls

    return start


def test_each_way_has_its_seconds_and_is_asked_in_turn(kept, timed):
    found, calls = timed(slow=0.5, fast=0.125)
    assert measured("q", found) == {"slow": 0.5, "fast": 0.125}
    assert calls[:4] == ["slow", "fast", "slow", "fast"]


def test_the_answer_is_kept_for_this_process_and_the_next(kept, timed):
    found, calls = timed(a=0.5, b=0.25)
    first = measured("q", found)
    asked = len(calls)
    assert measured("q", found) == first
    machine._known.cache_clear()  # another process
    assert measured("q", found) == first
    assert len(calls) == asked
    assert measured("another", found) == first
    assert len(calls) > asked
    assert len(json.loads(kept.read_text())) == 2


def test_another_number_of_threads_or_set_of_instructions_is_another_answer(kept, timed, monkeypatch):
    found, calls = timed(a=0.5)
    measured("q", found)
    for change in (
        lambda: monkeypatch.setattr(torch, "get_num_threads", lambda: 99),
        lambda: monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41"),
        lambda: monkeypatch.setenv("DNNL_MAX_CPU_ISA", "SSE41"),
        lambda: monkeypatch.setenv("MKL_ENABLE_INSTRUCTIONS", "AVX2"),
    ):
        asked = len(calls)
        change()
        measured("q", found)
        assert len(calls) > asked


@pytest.mark.parametrize("content", ["", "[]", "{", '{"q": 3}', "\x00"])
def test_a_file_that_is_none_of_ours_is_measured_anew_and_replaced(kept, timed, content):
    kept.parent.mkdir()
    kept.write_text(content)
    found, _ = timed(a=0.5)
    assert measured("q", found) == {"a": 0.5}
    assert [*json.loads(kept.read_text()).values()] == [{"a": 0.5}]
    assert [path.name for path in kept.parent.iterdir()] == ["speeds.json"]


@pytest.mark.parametrize(("load", "can"), [(0.0, True), (1.9, True), (2.1, False)])
def test_a_busy_processor_cannot_be_measured_but_what_is_kept_stays(kept, timed, monkeypatch, load, can):
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    found, _ = timed(a=0.5)
    assert can_measure("q", found) == can
    measured("q", found)
    assert can_measure("q", found)


def test_where_nothing_can_be_kept_it_is_measured_once_a_process(monkeypatch, timed):
    machine._known.cache_clear()
    monkeypatch.setattr(machine, "file", lambda: Path(os.devnull, "x"))
    found, calls = timed(a=0.5)
    measured("unkept", found)
    asked = len(calls)
    measured("unkept", found)
    assert len(calls) == asked
    machine._known.cache_clear()


def test_the_file_is_in_the_folder_for_such(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    as_it_is = runpy.run_path(machine.__file__)  # tests have put another function in its place
    assert as_it_is["file"]() == tmp_path / "seq2seq" / "speeds.json"
