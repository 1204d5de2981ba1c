"""A run that is repeated says whether the same weights came of it."""

import json
import shutil

import pytest
import torch

import seq2seq
from seq2seq.commands.train import train
from seq2seq.commands.training.repetition import verdict
from seq2seq.runs.checkpoint import read_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def original(tmp_path_factory, tiny_config):
    folder = tmp_path_factory.mktemp("original") / "run"
    folder.mkdir()
    train(tiny_config("budget.max_steps=4", "trainer.val_check_interval=2", "threads=1"), folder, resume=False)
    return folder


def test_a_repeated_run_has_the_same_weights(original, tmp_path, caplog, capfd):
    with caplog.at_level("INFO"):
        seq2seq.train(**{"from": original, "run_dir": tmp_path / "again"})
    assert "dev/loss" in capfd.readouterr().err
    assert f"weights: equal to those of {original}, bit for bit" in caplog.text
    then, now = (read_checkpoint(path / "checkpoints" / "last.ckpt") for path in (original, tmp_path / "again"))
    assert then["config"] == now["config"]


def test_a_run_is_repeated_in_silence(original, tmp_path, capfd):
    seq2seq.train(**{"from": original, "run_dir": tmp_path / "again"}, verbose=False)
    assert "dev/loss" not in capfd.readouterr().err
    then, now = (read_checkpoint(path / "checkpoints" / "last.ckpt") for path in (original, tmp_path / "again"))
    assert then["global_step"] == now["global_step"]
    assert all(torch.equal(weight, now["weights"][name]) for name, weight in then["weights"].items())


def test_what_a_run_depends_on_is_beside_it(original):
    found = json.loads((original / "environment.json").read_text(encoding="utf-8"))
    assert (
        found["packages"]["torch"] == torch.__version__.partition("+")[0]
        or found["packages"]["torch"] == torch.__version__
    )
    assert found["threads"] == 1
    assert found["processor"]
    assert {"seq2seq", "commit", "python", "cpu_capability", "gpu"} <= found.keys()


def test_weights_that_differ_are_told_with_what_else_does(original, tmp_path):
    other = shutil.copytree(original, tmp_path / "other")
    path = other / "checkpoints" / "last.ckpt"
    checkpoint = read_checkpoint(path, whole=True)
    name = "output.bias"
    checkpoint["weights"][name] = checkpoint["weights"][name] + 0.25
    checkpoint["splits"]["train"]["examples"] += 1
    save_checkpoint(path, checkpoint)
    found = json.loads((other / "environment.json").read_text(encoding="utf-8"))
    found["packages"]["torch"] = "9.9"
    (other / "environment.json").write_text(json.dumps(found), encoding="utf-8")
    said = verdict(str(original), other)
    assert said.startswith(f"weights: up to 2.5e-01 from those of {original}; train: ")
    assert said.endswith("then, 9.9 now")
    checkpoint["global_step"] += 1
    save_checkpoint(path, checkpoint)
    assert verdict(str(original), other) == f"weights: of step 5, not 4 as in {original}, and so not compared"


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"seed": 2}, "seed=2 cannot be given beside from="),
        ({"model": "luong"}, "model=luong cannot be given beside from="),
    ],
)
def test_nothing_else_of_it_can_be_asked_for(original, tmp_path, keywords, message):
    with pytest.raises(seq2seq.UserError) as error:
        seq2seq.train(**{"from": original, "run_dir": tmp_path / "again", **keywords})
    assert str(error.value).startswith(message)
    assert not (tmp_path / "again").exists()


def test_a_run_that_is_not_there_is_told(tmp_path):
    with pytest.raises(seq2seq.UserError, match="from=nowhere does not exist"):
        seq2seq.train(**{"from": "nowhere", "run_dir": tmp_path / "again"})
