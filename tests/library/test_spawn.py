"""Runs in processes that start from nothing, as they do on macOS and Windows, and where CUDA is in use."""

import multiprocessing

import pytest

import seq2seq

WORDS = ["bcd", "a", "fedcba"]


def translations(path: str) -> list[str]:
    return seq2seq.load(path).translate(WORDS)


def train(folder: str) -> float:
    pairs = [(one + two, two + one) for one in "abcdef" for two in "abcdef"]
    small = {"model__encoder__hidden_size": 8, "model__decoder__hidden_size": 16, "budget__max_steps": 2}
    run = seq2seq.train(pairs, run_dir=folder, logger="none", verbose=False, threads=1, **small)
    return run.evaluate(pairs[:5]).scores["exact_match"]


@pytest.mark.slow
def test_runs_are_loaded_and_trained_in_spawned_processes(finished, tmp_path):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(translations, (str(finished),)) == seq2seq.load(finished).translate(WORDS)
        assert 0 <= pool.apply(train, (str(tmp_path / "run"),)) <= 100
        assert pool.apply(seq2seq.load(finished).translate, (WORDS,)) == seq2seq.load(finished).translate(WORDS)
