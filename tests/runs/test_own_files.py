"""Data that a run keeps in its own folder go where the folder goes."""

import shutil

import pytest

import seq2seq
from seq2seq.runs.own_files import with_own_files

PAIRS = [(f"{'ab' * (number % 4)}a{number % 7}", f"x {number % 7}") for number in range(40)]
TINY = {
    "model.embedding_size": 8,
    "model.encoder.hidden_size": 8,
    "model.decoder.hidden_size": 8,
    "model/attention": "general",
    "logger": "none",
    "trainer.accelerator": "cpu",
    "trainer.val_check_interval": 1,
    "verbose": False,
}


def test_a_run_of_python_s_pairs_goes_on_and_is_scored_in_another_place(tmp_path):
    seq2seq.train(PAIRS, run_dir=str(tmp_path / "old"), **TINY, **{"budget.max_steps": 1})
    shutil.move(tmp_path / "old", tmp_path / "new")
    assert seq2seq.load(str(tmp_path / "new")).evaluate(split="dev").scores
    run = seq2seq.train(run_dir=str(tmp_path / "new"), resume=True, verbose=False, **{"budget.max_steps": 2})
    assert run.config["data"]["train"] == str(tmp_path / "new" / "pairs" / "train.jsonl")


@pytest.mark.parametrize("kept", ["pairs", "distilled"])
def test_only_what_the_folder_has_is_looked_for_there(tmp_path, kept):
    (tmp_path / kept).mkdir()
    (tmp_path / kept / "train.jsonl").write_text("")
    config = {"data": {"train": f"/gone/{kept}/train.jsonl", "dev": f"/gone/{kept}/dev.jsonl", "test": None}}
    found = with_own_files(config, tmp_path)["data"]
    assert found == {"train": str(tmp_path / kept / "train.jsonl"), "dev": f"/gone/{kept}/dev.jsonl", "test": None}


@pytest.mark.parametrize("path", ["pairs/train.jsonl", "/gone/mine/train.jsonl", "/gone/pairs/train.tsv", None])
def test_files_of_others_stay_where_they_are(tmp_path, path):
    for name in ("pairs", "mine"):
        (tmp_path / name).mkdir()
        for kind in ("jsonl", "tsv"):
            (tmp_path / name / f"train.{kind}").write_text("")
    config = {"data": {"train": path}}
    assert with_own_files(config, tmp_path) == config
