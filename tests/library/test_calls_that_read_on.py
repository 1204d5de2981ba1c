"""Texts of one call follow each other where that is asked for; a call knows nothing of another."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

import seq2seq
from seq2seq.commands.train import train

FORWARD = ["model.encoder.direction=forward", "model.encoder.hidden_size=16"]
TEXTS = ["bcd", "a", "", "fedcba", "cab"]
PAIRS = [(text, text) for text in TEXTS if text]


@pytest.fixture(scope="module")
def forward(tiny_config, tmp_path_factory) -> seq2seq.Run:
    folder = tmp_path_factory.mktemp("forward") / "run"
    folder.mkdir()
    train(
        tiny_config(*FORWARD, "budget.max_steps=2"),
        folder,
        resume=False,
    )
    return seq2seq.load(folder)


def scores(run, texts=TEXTS, **keywords) -> list[float]:
    return [own[0].hypothesis.score for own in run.translate(texts, n_best=1, **keywords)]


def test_a_call_begins_anew_and_its_texts_follow_each_other(forward):
    alone = scores(forward)
    first = scores(forward, reset="never")
    assert scores(forward, reset="never") == first
    assert scores(forward, TEXTS[:2], reset="never") == pytest.approx(first[:2], abs=1e-5)
    assert scores(forward, reset="segment") == pytest.approx(alone, abs=1e-5)
    assert first[1] != pytest.approx(alone[1], abs=1e-5)


def test_calls_of_several_threads_read_streams_of_their_own(forward):
    wanted = scores(forward, reset="never"), forward.evaluate(PAIRS, reset="never", bootstrap=0).hypotheses
    together = Barrier(4)

    def call(_):
        together.wait()
        found = scores(forward, reset="never")
        return found, forward.evaluate(PAIRS, reset="never", bootstrap=0).hypotheses

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(call, range(4))) == [wanted] * 4


def test_rows_that_are_scored_in_order_stay_each_by_itself(forward, tmp_path):
    rows = [("a", "a"), ("bcd", ["dcb", "b"]), ("a", "a")]
    (path := tmp_path / "rows.tsv").write_text("a\ta\nbcd\tdcb\na\ta\n")
    wanted = forward.translate([source for source, _ in rows], reset="never")
    for pairs in (rows, path):
        assert forward.evaluate(pairs, reset="never", bootstrap=0).hypotheses == wanted
        assert len(forward.evaluate(pairs, bootstrap=0).hypotheses) == 2
