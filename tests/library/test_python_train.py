"""Training from Python: the same run as from the command line, and a process that is left as it was."""

import logging
import os
import random
import threading
import warnings

import numpy
import pandas
import pytest
import torch

import seq2seq
from seq2seq.runs.checkpoint import read_checkpoint

PAIRS = [(word, " ".join(reversed(word))) for word in (a + b + c for a in "abc" for b in "bcd" for c in "ad")]
BESIDE = "data.train has no effect beside pairs that are given: give all of them, as pairs."
SMALL = {
    "model": {"embedding_size": 8, "encoder.hidden_size": 4, "decoder": {"hidden_size": 8, "feature_size": 8}},
    "budget__max_steps": 4,
    "trainer__val_check_interval": 2,
    "trainer__accelerator": "cpu",
    "precision": "32-true",
    "threads": 1,
    "logger": "none",
    "verbose": False,
}


def weights(folder) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / "checkpoints" / "last.ckpt")["weights"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> seq2seq.Run:
    folder = tmp_path_factory.mktemp("library") / "run"
    return seq2seq.train(PAIRS, run_dir=folder, **SMALL)


def state_of_the_process() -> list[object]:
    log = logging.getLogger("seq2seq")
    return [
        random.getstate(),
        numpy.random.get_state()[1].tolist(),
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        torch.get_float32_matmul_precision(),
        bool(torch.tensor([1e-40]) * 1.0 != 0),
        list(warnings.filters),
        {name: value for name, value in os.environ.items() if name.startswith(("PL_", "SEQ2SEQ"))},
        (log.level, list(log.handlers), logging.getLogger("pytorch_lightning").level),
    ]


def test_the_process_is_left_as_it_was(tmp_path):
    before = state_of_the_process()
    seq2seq.train(PAIRS, run_dir=tmp_path / "run", **SMALL | {"verbose": True, "matmul_precision": "high"})
    assert state_of_the_process() == before


def test_pairs_in_memory_give_the_weights_that_a_file_of_them_gives(run, tmp_path):
    lines = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    (tmp_path / "pairs.tsv").write_text(lines, encoding="utf-8")
    of_file = seq2seq.train(tmp_path / "pairs.tsv", run_dir=tmp_path / "run", **SMALL)
    assert of_file.config["data"]["_target_"].endswith("TSVCorpus")
    own, other = weights(run.path), weights(of_file.path)
    assert all(torch.equal(own[name], other[name]) for name in own)
    assert run.scores == of_file.scores


def test_a_run_goes_on_with_the_pairs_that_it_keeps(run, tmp_path):
    folder = tmp_path / "run"
    first = seq2seq.train(PAIRS, run_dir=folder, **SMALL | {"budget__max_steps": 2})
    assert first.step == 2
    with pytest.raises(seq2seq.UserError, match="pairs must be left out with resume=True: the run has its own"):
        seq2seq.train(PAIRS, run_dir=folder, resume=True)
    again = seq2seq.train(run_dir=folder, resume=True, budget__max_steps=4, verbose=False)
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["global_step"] == 4
    assert again.config["data"]["train"] == str(folder / "pairs" / "train.jsonl")


def test_what_is_said_goes_to_stderr_if_wanted_and_where_nobody_has_said_otherwise(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    keywords = SMALL | {"verbose": True, "budget__max_steps": 2}
    seq2seq.train(PAIRS, run_dir=tmp_path / "one", **keywords)
    said = capsys.readouterr()
    assert "model: " in said.err
    assert "dev/loss" in said.err
    assert said.out == ""
    seq2seq.train(PAIRS, run_dir=tmp_path / "two", **keywords | {"verbose": False})
    said = capsys.readouterr()
    assert "model: " not in said.err
    assert "dev/loss" not in said.err
    assert "train: 17 sources only" in said.err  # warnings stay


def test_a_second_training_waits_for_the_first_and_both_are_as_alone(run, tmp_path):
    folders = [tmp_path / name for name in ("one", "two")]
    threads = [
        threading.Thread(target=seq2seq.train, args=(PAIRS,), kwargs=SMALL | {"run_dir": folder}) for folder in folders
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own = weights(run.path)
    for folder in folders:
        other = weights(folder)
        assert all(torch.equal(own[name], other[name]) for name in own)


def test_an_interrupt_leaves_the_run_of_the_last_validation(tmp_path, monkeypatch):
    from seq2seq.training.step import TrainingStep

    transform = TrainingStep.transform

    def interrupted(self, *, step):
        if step == 3:
            raise KeyboardInterrupt
        return transform(self, step=step)

    monkeypatch.setattr(TrainingStep, "transform", interrupted)
    run = seq2seq.train(PAIRS, run_dir=tmp_path / "run", **SMALL)
    assert run.step == 2
    assert len(run.translate(["abc"])) == 1
    with pytest.raises(KeyboardInterrupt):
        seq2seq.train(PAIRS, run_dir=tmp_path / "none", **SMALL | {"trainer__val_check_interval": 4})
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("pairs", "keywords", "message"),
    [
        ([], {}, "pairs must hold pairs of a source and a target, but is empty."),
        (
            ["ab"],
            {},
            "pairs[0] must be a source and a target, two texts, but is 'ab': pair texts by zip(sources, targets).",
        ),
        (
            [("a", "b"), ("c", 3)],
            {},
            "pairs[1] must be a source and a target, two texts, but is ('c', 3): make it a text, as in str(3).",
        ),
        ([("a", [])], {}, "pairs[0] must be a source and a target, two texts, but is ('a', [])."),
        (
            {"a": None},
            {},
            "pairs[0] must be a source and a target, two texts, but is ('a', None): leave out rows that lack one, of a "
            "data frame by dropna().",
        ),
        (PAIRS, {"dev": []}, "dev must hold pairs of a source and a target, but is empty."),
        (pandas.DataFrame({"a": ["b"]}), {}, "pairs must have columns source and target, or two columns, but has a."),
        ("a.tsv", {"dev": "b.jsonl"}, "train, dev and test must be files of one kind, but are json, tsv."),
        ("none.tsv", {}, "data.train=none.tsv does not exist: give the path of a file (relative ones start at {cwd})."),
        (None, {"dev": PAIRS}, "pairs must be given, or left out for data=..., but are None."),
        (PAIRS, {"data": "tsv"}, "data='tsv' has no effect where there are pairs: leave one of them out."),
        *((given, {key: "x.tsv"}, BESIDE) for given in (PAIRS, "a.tsv") for key in ("data__train", "data.train")),
        (PAIRS, {"data": {"train": "x.tsv"}}, BESIDE),
        (
            PAIRS,
            {"data__dev": "x.tsv"},
            "data.dev has no effect beside pairs that are given: give all of them, as dev.",
        ),
        (
            [("a", ""), ("b", " "), ("c", "")],
            {},
            "data must hold target texts that are not all empty, to learn pieces from: look at",
        ),
        (PAIRS, {"find_lr": True}, "find_lr is for the command line: leave it out."),
        (PAIRS, {"modle": "gnmt"}, "The option 'modle' does not exist: did you mean 'model'?"),
        (PAIRS, {"model__dropuot": 0.1}, "The option 'model__dropuot' does not exist: did you mean 'model__dropout'?"),
        (PAIRS, {"seed": -1}, "seed must be a whole number"),
        (PAIRS, {"seed": -1, "verbose": False, "callbacks": None}, "seed must be a whole number"),
        (PAIRS, {"seed": -1, "verbose": False, "callbacks": "none"}, "seed must be a whole number"),
        (PAIRS[:1], {}, "data.train must hold at least 2 sources to hold dev out of, but holds 1, "),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, pairs, keywords, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(seq2seq.UserError) as error:
        seq2seq.train(pairs, **{"logger": "none"} | keywords)
    assert str(error.value).startswith(message.replace("{cwd}", str(tmp_path)))
    assert error.value.__cause__ is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_holds_a_run_is_left_alone(run):
    before = sorted(path for path in run.path.rglob("*"))
    with pytest.raises(seq2seq.UserError, match="already holds a run"):
        seq2seq.train(PAIRS, run_dir=run.path, **SMALL)
    assert sorted(path for path in run.path.rglob("*")) == before
