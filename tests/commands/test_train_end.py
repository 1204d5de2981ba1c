"""What comes after training."""

import json
import shutil

import pytest
import torch

from seq2seq.commands import train as command
from seq2seq.compression.prepared_lstm import PackedCell
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.run import load_run


def test_the_best_checkpoint_is_scored_by_a_packed_model(finished, tiny_config, tmp_path, monkeypatch):
    config, translators = tiny_config(), []
    shutil.copytree(finished / "checkpoints", tmp_path / "checkpoints")

    def spy(translator, *given):
        translators.append(translator)
        return evaluate(translator, *given)

    evaluate = command.evaluate
    monkeypatch.setattr(command, "evaluate", spy)
    monkeypatch.setattr(command, "load_run", lambda folder, device: load_run(finished, device))
    record = command._finish(config, load_splits(config), tmp_path, 1.0, torch.device("cpu")).record
    assert len(translators) == 2  # of test, and of all of dev
    for translator in translators:
        assert any(isinstance(cell, PackedCell) for cell in translator.stepper.modules())
    kept = json.loads((finished / "metrics.json").read_text())
    assert record["scores"] == kept["scores"]
    assert record["dev"]["scores"] == kept["dev"]["scores"]
    assert record["dev"]["sentences"] == 8


def test_the_best_checkpoint_is_scored_where_it_was_trained(tiny_config, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(command, "load_run", lambda folder, device: asked.append(device) or 1 / 0)
    config = tiny_config()
    with pytest.raises(ZeroDivisionError):
        command._finish(config, load_splits(config), tmp_path, 1.0, torch.device("cuda", 1))
    assert asked == [torch.device("cuda", 1)]
