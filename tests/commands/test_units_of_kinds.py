"""Units and health of runs of every kind: cells of other steps, models without context, edits, copies, frames."""

import numpy as np
import pytest

from seq2seq.commands.health import health
from seq2seq.commands.probe import probe
from seq2seq.commands.train import train
from seq2seq.errors import UserError

KINDS = {
    "edits": ["model=transducer", "model.encoder.hidden_size=8", "model.decoder.hidden_size=16"],
    "copies": ["model/copying=pointer"],
    "no context": [
        "model/attention=none",
        "model/bridge=state",
        "model=luong",
        "model.encoder.direction=forward",
        "model.encoder.hidden_size=16",
    ],
    "halved": ["model.encoder.halvings=1", "model.encoder.num_layers=2"],
    "projected": ["model/cell=lstm_projected"],
    "stack": ["model/cell=stack", "model.cell.width=2", "model.cell.depth=3"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_units_and_health_of_a_run(kind, tiny_config, config_of, tmp_path, caplog):
    folder = tmp_path / "run"
    folder.mkdir()
    train(tiny_config(*KINDS[kind], "budget.max_steps=2", "trainer.val_check_interval=2"), folder, resume=False)
    given = [f"run={folder}", "split=train", "device=cpu"]
    record = probe(config_of("probe", *given, "signals=[position]"))
    cells = {row["cell"] for row in record["probes"]}
    assert "decoder 1" in cells
    halved = "left out, as they have steps of their own, not one for each piece: ['encoder 2 forward', 'encoder 2 backw"
    assert (halved in caplog.text) == (kind == "halved")
    kinds = {sign["kind"] for sign in health(config_of("health", *given))["signs"]}
    assert kinds >= {"dead", "rank"}
    assert ("entropy" in kinds) == (kind != "no context")


FRAMES = [
    *("data=npz", "model=luong", "model/input=frames", "tokenizer=word", "logger=none"),
    *("model.encoder.hidden_size=8", "model.decoder.hidden_size=16", "model.decoder.feature_size=16"),
    *("budget.max_steps=2", "trainer.accelerator=cpu", "trainer.val_check_interval=2", "precision=32-true"),
    *("model.embedding_size=8", "threads=1"),
]


def test_frames_have_no_pieces_and_their_readers_are_left_out(plain_config_of, config_of, tmp_path):
    random = np.random.default_rng(1)
    frames = random.normal(size=(300, 3)).astype(np.float32)
    targets = np.array(["left right", "up", "right up left"])[random.integers(0, 3, 60)]
    np.savez(tmp_path / "train.npz", frames=frames, lengths=np.full(60, 5), targets=targets)
    folder = tmp_path / "run"
    folder.mkdir()
    train(plain_config_of("train", *FRAMES, f"data.train={tmp_path / 'train.npz'}"), folder, resume=False)
    given = [f"run={folder}", "split=train", "device=cpu"]
    record = probe(config_of("probe", *given, "signals=[position]"))
    assert {row["cell"] for row in record["probes"]} == {"decoder 1"}
    assert {sign["place"] for sign in health(config_of("health", *given))["signs"]} >= {
        "encoder 1 forward",
        "decoder 1",
    }
    with pytest.raises(UserError, match="layers must be of the decoder, as run=.* reads frames, which are no pieces, "):
        probe(config_of("probe", *given, "signals=[position]", "layers=[encoder.1.forward]"))
