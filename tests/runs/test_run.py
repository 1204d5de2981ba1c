"""From a run folder or checkpoint back to the model that was trained."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_run import as_before_0_2
from torch.testing import assert_close

from seq2seq.commands.train import train
from seq2seq.config.builder import build
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.examples import Splits
from seq2seq.data.splitting import Fingerprint
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.errors import DivergedError, UserError
from seq2seq.runs.checkpoint import read_checkpoint, saved_with, sealed
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.evaluation import build_scores, evaluate
from seq2seq.runs.run import LoadedRun, build_model, load_run, pick_device
from seq2seq.training.likelihood import likelihood
from seq2seq.translation.translator import Translator


@pytest.fixture
def contents(finished) -> dict[str, Any]:
    """A checkpoint of the finished run, to write altered copies of."""
    return torch.load(finished / "checkpoints" / "best.ckpt", weights_only=True)


def refusal(path: Path | str) -> str:
    with pytest.raises(UserError) as error:
        load_run(path)
    return str(error.value)


# What a checkpoint gives back


@pytest.mark.parametrize("joint", [False, True])
def test_a_checkpoint_reproduces_outputs_to_the_bit(tiny_config, tmp_path, joint):
    config = tiny_config()
    trainer = TokenizerTrainer(source="word", target="word" if joint else "char", joint=joint)
    tokenizers = trainer.train(splits_of(config).train)
    model = build_model(config, tokenizers).eval()
    state = {"weights": model.state_dict(), "global_step": 11}
    torch.save(sealed(saved_with(config, tokenizers, splits_of(config)) | state), tmp_path / "saved.ckpt")
    run = load_run(tmp_path / "saved.ckpt")
    assert run.step == 11
    assert run.config == config
    assert run.splits["train"] == Fingerprint.of(splits_of(config).train)
    assert not run.model.training
    assert (run.tokenizers.source is run.tokenizers.target) == joint
    assert run.tokenizers.source.serialized == tokenizers.source.serialized
    assert run.tokenizers.target.serialized == tokenizers.target.serialized
    source, lengths = torch.tensor([[4, 5, 3], [6, 3, 0]]), torch.tensor([3, 2])
    target = torch.tensor([[2, 5], [2, 6]])
    with torch.no_grad():
        for now, then in zip(run.model(source, lengths, target), model(source, lengths, target), strict=True):
            assert torch.equal(now, then)


def splits_of(config: dict[str, Any]) -> Splits:
    return build(config["data"], "").load()


def test_a_run_scores_as_training_recorded(finished):
    run = load_run(finished)
    record = json.loads((finished / "metrics.json").read_text())
    translator = Translator(run.model, run.tokenizers, GreedySearch())
    scores = evaluate(translator, splits_of(run.config).test, build_scores(run.config)).scores
    assert {name: round(value, 4) for name, value in scores.items()} == record["scores"]
    assert run.step == record["step"]


def test_the_weights_of_a_run_are_the_averaged_ones(finished, contents):
    weights = dict(load_run(finished).model.named_parameters())
    for name, weight in weights.items():
        assert torch.equal(weight, contents["weights"][name])
    assert any(not torch.equal(w, contents["state_dict"][f"model.{name}"]) for name, w in weights.items())


def test_weights_that_are_not_finite_are_refused(contents, tmp_path):
    contents["weights"]["output.bias"][3] = float("nan")
    torch.save(sealed(contents), tmp_path / "nan.ckpt")
    assert refusal(tmp_path / "nan.ckpt") == (
        f"run={tmp_path}/nan.ckpt must hold weights that are finite, but some are not (output.bias): use another "
        "checkpoint of the run, or train again with a lower learning rate."
    )


def test_a_run_that_diverges_leaves_no_checkpoint_that_is_not_finite(tiny_config, tmp_path):
    overrides = ["optimizer.lr=1e38", "schedule=constant", "schedule.warmup_steps=0", "trainer.val_check_interval=1"]
    with pytest.raises(DivergedError):
        train(tiny_config(*overrides), tmp_path, resume=False)
    assert not list((tmp_path / "checkpoints").glob("*.ckpt"))
    assert not (tmp_path / "metrics.json").exists()


def test_best_has_the_lowest_dev_loss_of_those_kept(tiny_config, tmp_path):
    """With a learning rate that ruins the model, the best is not the last, and it is the better one."""
    overrides = ["monitor.metric=dev/loss", "monitor.mode=min", "optimizer.lr=3.0", "averaging.decay=0.0"]
    config = tiny_config(*overrides, "schedule=constant", "schedule.warmup_steps=60", "trainer.val_check_interval=5")
    train(config, tmp_path, resume=False)
    best, last = (load_run(tmp_path / "checkpoints" / f"{name}.ckpt") for name in ("best", "last"))
    assert best.step < last.step == 30
    assert dev_loss(best) < dev_loss(last)
    assert json.loads((tmp_path / "metrics.json").read_text())["step"] == best.step


def dev_loss(run: LoadedRun) -> float:
    data = Seq2SeqDataModule(splits=splits_of(run.config), tokenizers=run.tokenizers)
    batch = data.dev_pairs.batch(torch.arange(len(data.dev_pairs)), step_tokens=1.0)
    with torch.no_grad():
        return likelihood(run.model, batch).total.item()


def test_a_checkpoint_of_before_0_2_gives_the_same_model(finished, contents, tmp_path):
    old = contents | {"config": as_before_0_2(contents["config"]), "format": 2}
    del old["digests"], old["splits"]
    assert "seq2seq.decoding.greedy.GreedySearch" in json.dumps(old["config"])
    torch.save(old, tmp_path / "old.ckpt")
    found, wanted = load_run(tmp_path / "old.ckpt"), load_run(finished)
    assert found.config == wanted.config
    for name, weight in wanted.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], weight)


def test_a_moved_checkpoint_needs_nothing_beside_it(finished, tmp_path):
    shutil.copy(finished / "checkpoints" / "best.ckpt", tmp_path / "alone.ckpt")
    alone, home = load_run(tmp_path / "alone.ckpt"), load_run(finished)
    assert_close(dict(alone.model.named_parameters()), dict(home.model.named_parameters()), rtol=0, atol=0)
    assert alone.config == home.config


# Which checkpoint


def test_best_comes_before_last_and_a_file_is_itself(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "last.ckpt").touch()
    assert find_checkpoint(tmp_path) == folder / "last.ckpt"
    (folder / "best.ckpt").touch()
    assert find_checkpoint(tmp_path) == folder / "best.ckpt"
    assert find_checkpoint(str(folder / "last.ckpt")) == folder / "last.ckpt"


def test_a_run_that_does_not_exist():
    assert refusal("no/such/run") == "run=no/such/run does not exist: give a run folder or a checkpoint file."


def test_a_folder_without_checkpoints(tmp_path):
    assert refusal(tmp_path) == (
        f"run={tmp_path} holds no checkpoint: there is no checkpoints/best.ckpt or last.ckpt in it."
    )


def test_the_run_around_a_folder_or_in_it_is_named(tmp_path):
    runs = tmp_path / "runs" / "words"
    for number, name in enumerate(("one", "two", "three")):
        (runs / name / "checkpoints").mkdir(parents=True)
        (runs / name / "checkpoints" / "last.ckpt").touch()
        os.utime(runs / name / "checkpoints", (number % 2, number % 2))
    lacking = "holds no checkpoint: there is no checkpoints/best.ckpt or last.ckpt in it"
    (runs / "one" / "tokenizers").mkdir()
    for inside in ("checkpoints", "tokenizers"):
        around = f"give its run folder, run={runs / 'one'}"
        assert refusal(runs / "one" / inside) == f"run={runs / 'one' / inside} {lacking}: {around}."
    assert refusal(runs) == f"run={runs} {lacking}: give a run in it, such as run={runs / 'two'}, the newest."
    assert refusal(tmp_path) == f"run={tmp_path} {lacking}."


def test_a_folder_that_may_not_be_entered_is_no_run(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    found = Path.is_file

    def is_file(path: Path) -> bool:
        if "closed" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return found(path)

    monkeypatch.setattr(Path, "is_file", is_file)
    assert refusal(tmp_path) == (
        f"run={tmp_path} holds no checkpoint: there is no checkpoints/best.ckpt or last.ckpt in it."
    )


def test_a_slip_of_a_name_is_asked_about(tmp_path):
    for path in ("words_2026/checkpoints/last.ckpt", "other"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    wrong = tmp_path / "words_2025"
    assert refusal(wrong) == f"run={wrong} does not exist: did you mean {tmp_path / 'words_2026'}?"
    last = tmp_path / "words_2026" / "checkpoints" / "last"
    assert refusal(last) == f"run={last} does not exist: did you mean {last}.ckpt?"


# What is no checkpoint


@pytest.mark.parametrize("data", [b"", b"hello\n", b"PK\x03\x04 not really", b"\x80\x02}q\x00."])
def test_a_file_that_is_no_checkpoint(tmp_path, data):
    path = tmp_path / "any.ckpt"
    path.write_bytes(data)
    assert refusal(path).startswith(f"{path} is not a checkpoint of seq2seq")


def test_a_truncated_checkpoint(finished, tmp_path):
    path = tmp_path / "cut.ckpt"
    path.write_bytes((finished / "checkpoints" / "best.ckpt").read_bytes()[:5000])
    assert refusal(path).startswith(f"{path} is not a checkpoint of seq2seq: it cannot be read (")


@pytest.mark.parametrize("contents", [{"format": "zip"}, {}, [1], torch.zeros(1)], ids=str)
def test_a_checkpoint_of_another_program(tmp_path, contents):
    path = tmp_path / "other.ckpt"
    torch.save(contents, path)
    assert refusal(path) == f"{path} is not a checkpoint of seq2seq: train one with scripts/train.py."


@pytest.mark.parametrize("number", [1, 5])
def test_a_checkpoint_of_another_format(tmp_path, number):
    path = tmp_path / "other.ckpt"
    torch.save({"format": number}, path)
    assert refusal(path) == (
        f"{path} is a checkpoint of format {number}, but this version reads up to 4: train it again, "
        "or use the version that wrote it."
    )


class Payload:
    """Would run code if it were unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self):
        return Path.touch, (self.witness,)


def test_a_checkpoint_cannot_run_code(tmp_path, contents):
    path, witness = tmp_path / "bad.ckpt", tmp_path / "ran"
    torch.save(contents | {"extra": Payload(witness)}, path)
    assert refusal(path) == f"{path} is not a checkpoint of seq2seq: it cannot be read (UnpicklingError)."
    assert not witness.exists()


def test_every_checkpoint_loads_without_pickle(finished):
    for name in ("best", "last"):
        checkpoint = read_checkpoint(finished / "checkpoints" / f"{name}.ckpt")
        assert {"format", "config", "tokenizers", "weights", "state_dict"} <= set(checkpoint)


# Devices


def test_devices_by_name(monkeypatch):
    assert pick_device("cpu") == torch.device("cpu")
    with monkeypatch.context() as patched:
        patched.setattr(torch.cuda, "device_count", lambda: 2)
        assert pick_device("cuda:1") == torch.device("cuda", 1)
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_an_unknown_device():
    with pytest.raises(UserError) as error:
        pick_device("abacus")
    assert str(error.value) == "device must be auto, cpu, cuda or cuda:N, but is 'abacus'."


@pytest.mark.parametrize("name", ["mps", "xpu", "meta"])
def test_a_device_that_does_not_compute_here_is_refused(name):
    if name != "meta" and torch.get_device_module(name).is_available():
        pytest.skip("it does here")
    with pytest.raises(UserError) as error:
        pick_device(name)
    assert str(error.value) == f"device={name} is none that computes here: use device=cpu or auto."


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError) as error:
        pick_device("cuda:7")
    assert str(error.value) == "device=cuda:7 is none of the 2 GPUs here: use device=cpu or auto."
