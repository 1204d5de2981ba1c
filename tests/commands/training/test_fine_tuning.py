"""Training that starts from a run."""

import json
import shutil

import pytest
import torch

import seq2seq
from seq2seq.runs.checkpoint import read_checkpoint

SMALL = {"budget__max_steps": 2, "trainer__val_check_interval": 2, "trainer__accelerator": "cpu", "threads": 1,
         "precision": "32-true", "logger": "none", "verbose": False, "averaging__decay": 0.0}  # fmt: skip
PAIRS = [(a + b + c, f"{c} {b} {a}") for a in "abc" for b in "abc" for c in "abcd"]


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> seq2seq.Run:
    model = {"embedding_size": 8, "encoder.hidden_size": 4, "decoder": {"hidden_size": 8, "feature_size": 8}}
    return seq2seq.train(PAIRS, run_dir=tmp_path_factory.mktemp("first") / "run", model=model, **SMALL)


def weights(run: seq2seq.Run) -> dict[str, torch.Tensor]:
    return read_checkpoint(run.path / "checkpoints" / "last.ckpt")["weights"]


def test_a_rate_of_almost_nothing_leaves_the_run_as_it_was(first, tmp_path):
    again = first.fine_tune(PAIRS, run_dir=tmp_path / "run", optimizer__lr=1e-12, **SMALL)
    own, found = weights(first), weights(again)
    assert own.keys() == found.keys()
    assert all(torch.allclose(found[name], own[name], atol=1e-8) for name in own)
    assert again.config["model"]["embedding_size"] == 8
    assert again.members[0].tokenizers.source.serialized == first.members[0].tokenizers.source.serialized
    scores = again.report["fine_tuning"]["scores"]
    assert scores.keys() == {"dev", "old dev"}
    assert scores["dev"]["before"] == scores["dev"]["after"] == first.report["scores"]
    assert again.report["fine_tuning"]["init"] == str(first.path)
    assert json.loads((again.path / "metrics.json").read_text())["fine_tuning"] == again.report["fine_tuning"]


def test_parts_are_frozen_and_thawed_and_resumed_runs_are_the_same(first, tmp_path):
    keywords = SMALL | {"freeze": ["encoder"], "rates": {"decoder.bottom": 0.5}, "optimizer__lr": 0.01}
    own = weights(first)
    frozen = weights(first.fine_tune(PAIRS, run_dir=tmp_path / "frozen", **keywords))
    changed = {name.partition(".")[0] for name in own if not torch.equal(own[name], frozen[name])}
    assert changed == {"decoder", "bridge", "output"}
    thawed = keywords | {"freeze_steps": 1}
    whole = weights(first.fine_tune(PAIRS, run_dir=tmp_path / "thawed", **thawed | {"budget__max_steps": 4}))
    assert not torch.equal(own["encoder.input.embedding.table.weight"], whole["encoder.input.embedding.table.weight"])
    schedule = {"schedule": "constant", "model.dropout": 0.1}
    whole = weights(first.fine_tune(PAIRS, run_dir=tmp_path / "whole", **thawed | schedule | {"budget__max_steps": 4}))
    first.fine_tune(PAIRS, run_dir=tmp_path / "parts", **thawed | schedule)
    parts = weights(seq2seq.train(run_dir=tmp_path / "parts", resume=True, budget__max_steps=4, verbose=False))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    records = [json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("whole", "parts")]
    assert records[0]["fine_tuning"] == records[1]["fine_tuning"]  # though it went on from a checkpoint of its own


def test_a_run_that_goes_on_without_the_one_it_started_from_says_what_its_report_lacks(first, tmp_path, caplog):
    shutil.copytree(first.path, tmp_path / "first")
    moved = seq2seq.load(tmp_path / "first")
    moved.fine_tune(PAIRS, run_dir=tmp_path / "run", **SMALL)
    shutil.rmtree(tmp_path / "first")
    run = seq2seq.train(run_dir=tmp_path / "run", resume=True, budget__max_steps=3, verbose=False)
    assert "fine_tuning" not in run.report
    assert f"the report does not compare with init={tmp_path}/first, which cannot be opened: init=" in caplog.text


def test_other_letters_get_tokenizers_of_their_own(first, tmp_path, caplog):
    greek = [(source.translate(str.maketrans("abcd", "αβγδ")), target) for source, target in PAIRS]
    with caplog.at_level("INFO"):
        run = first.fine_tune(greek, run_dir=tmp_path / "run", **SMALL)
    assert run.members[0].tokenizers.source.encode(["αβγ"])[0] != first.members[0].tokenizers.source.encode(["αβγ"])[0]
    assert "init: 0 of 4 source pieces are the run's; others start from what is in them" in caplog.text
    assert "target pieces" not in caplog.text  # all of them are known


def test_old_pairs_come_along_but_none_that_is_judged_by(first, tmp_path, caplog):
    new = [("dd" + source, target) for source, target in PAIRS]
    old = read_checkpoint(first.path / "checkpoints" / "last.ckpt")["splits"]["train"]["examples"]
    with caplog.at_level("INFO"):
        first.fine_tune(new, dev=PAIRS[:5], run_dir=tmp_path / "run", rehearsal=0.5, **SMALL)
    assert f"rehearsal: {round(len(PAIRS) / 2)} of " in caplog.text
    splits = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["splits"]
    assert splits["train"]["examples"] == len(PAIRS) + round(len(PAIRS) / 2)
    assert old > len(PAIRS) / 2
    assert "of 5 sources are in train, too" not in caplog.text


def test_a_run_that_goes_on_keeps_its_old_pairs_and_is_refused_without_them(first, tmp_path, monkeypatch):
    new, quiet = [("dd" + source, target) for source, target in PAIRS], {"resume": True, "verbose": False}
    keywords = SMALL | {"schedule": "constant", "dev": PAIRS[:5], "rehearsal": 0.5, "model.dropout": 0.1}
    whole = first.fine_tune(new, run_dir=tmp_path / "whole", **keywords | {"budget__max_steps": 4})
    first.fine_tune(new, run_dir=tmp_path / "parts", **keywords)
    monkeypatch.setattr(
        "seq2seq.commands.training.rehearsal.placed", lambda examples, seed: (0, torch.arange(9).numpy())
    )
    with pytest.raises(seq2seq.UserError, match="^data must be what this run was trained on, but train is not "):
        seq2seq.train(run_dir=tmp_path / "parts", budget__max_steps=4, **quiet)
    monkeypatch.undo()
    parts = seq2seq.train(run_dir=tmp_path / "parts", budget__max_steps=4, **quiet)
    assert all(torch.equal(weight, weights(parts)[name]) for name, weight in weights(whole).items())


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"init": "nowhere"}, "init=nowhere does not exist: give a run folder or a checkpoint file."),
        ({"init": 3}, "init=3 does not exist: give a run folder or a checkpoint file."),
        (
            {"model__embedding_size": 9},
            "model.embedding_size=9 cannot be chosen where init gives the model: leave one of them out.",
        ),
        ({"model": "luong"}, "model=luong cannot be chosen where init gives the model: leave one of them out."),
        ({"model/cell": "gru"}, "model/cell=gru cannot be chosen where init gives the model: leave one of them out."),
        ({"rehearsal": -1.0}, "rehearsal must be at least 0, but is -1.0."),
        (
            {"freeze": ["encodr"]},
            "freeze must name parts of the model with weights, but 'encodr' is none: did you mean encoder?",
        ),
        ({"freeze": "encoder"}, "freeze must be "),
        ({"freeze_steps": 2}, "freeze_steps needs parts to freeze, but is 2 beside freeze=[]."),
        ({"rates": {"encoder": "fast"}}, "rates.encoder must be float, but is 'fast'."),
        ({"text__form": "nfkc"}, "text must be as in init="),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(first, tmp_path, keywords, message, monkeypatch):
    if "text__form" not in keywords:  # which takes the tokenizers to know
        monkeypatch.setattr("seq2seq.commands.training.distilled_data.load_splits", lambda config: 1 / 0)
    with pytest.raises(seq2seq.UserError) as error:
        first.fine_tune(PAIRS, run_dir=tmp_path / "run", logger="none", verbose=False, **keywords)
    assert str(error.value).startswith(message)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_rehearsal_without_a_run_is_refused(tmp_path):
    with pytest.raises(seq2seq.UserError, match="rehearsal=0.5 needs a run to start from: give init, or leave it out."):
        seq2seq.train(PAIRS, run_dir=tmp_path / "run", rehearsal=0.5, verbose=False)
