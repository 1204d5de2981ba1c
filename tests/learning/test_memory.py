"""Memories that grow: what is learnt on short strings holds on long ones."""

import random

import pytest

import seq2seq

LETTERS = "abcdefghijkl"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "task", "length", "least"),
    [
        ("stack", "reverse", 40, 95.0),
        ("stack", "reverse", 80, 90.0),
        ("queue", "copy", 20, 95.0),
    ],
)
def test_strings_of_up_to_ten_teach_longer_ones(cell, task, length, least, trained):
    run = trained(cell, task)
    draw = random.Random(length)
    sources = [[draw.choice(LETTERS) for _ in range(length)] for _ in range(100)]
    pairs = [(" ".join(own), " ".join(own[::-1] if task == "reverse" else own)) for own in sources]
    assert run.evaluate(pairs, bootstrap=0).scores["exact_match"] >= least


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    runs = {}

    def _trained(cell: str, task: str) -> seq2seq.Run:
        if (cell, task) not in runs:
            folder = tmp_path_factory.mktemp("memory") / f"{cell}_{task}"
            keywords = {"model/cell": cell, "data": task, "data.max_length": 10, "logger": "none", "threads": 1}
            runs[cell, task] = seq2seq.train(experiment="stack", run_dir=str(folder), **keywords)
        return runs[cell, task]

    return _trained
