"""The laboratory on runs of unusual kinds: each command gives a record, or one line that says why not."""

import json
import math

import numpy as np
import pytest

from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.gradients import gradients
from seq2seq.commands.health import health
from seq2seq.commands.interpreting import report_folder
from seq2seq.commands.intervene import intervene
from seq2seq.commands.probe import probe
from seq2seq.commands.time_constants import find_time_constants
from seq2seq.commands.train import train
from seq2seq.errors import UserError

FRAMES = [
    *("data=npz", "model/input=frames", "tokenizer=word", "logger=none", "sizing=none"),
    *("model.encoder.hidden_size=8", "model.decoder.hidden_size=16", "model.decoder.feature_size=16"),
    *("trainer.accelerator=cpu", "precision=32-true", "model.embedding_size=8", "threads=1"),
    "model.encoder.num_layers=1",
]
SHORT = ["budget.max_steps=2", "trainer.val_check_interval=2"]
KINDS = {
    "stack": ["model/cell=stack", "model.cell.width=2", "model.cell.depth=3"],
    "entmax": ["model.output.normalizer=entmax"],
    "strided": ["model/front_end=strided"],
    "others": ["data.alphabet_size=3"],
    "frames": [*FRAMES, "model=luong"],
    "tagged frames": [*FRAMES, "model=tagger"],
}
COMMANDS = {
    "intervene": (intervene, ["gates=[]", "attention=[]"]),
    "gradients": (gradients, ["limit=2"]),
    "time_constants": (find_time_constants, []),
    "probe": (probe, []),
    "health": (health, []),
}
REFUSED = {
    ("gradients", "stack"): "run must have a cell with a state of units that reads whole sentences, to have gradients "
    "by distance, but no cell of RUN is one: give another run.",
    ("time_constants", "stack"): "run must have a cell with a gate that keeps its memory, but no cell of RUN has one: "
    "give another run.",
    ("probe", "tagged frames"): "run must have a cell that goes through pieces, but run=RUN reads frames, which are no "
    "pieces, and its decoder has no cells: give another run.",
}


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    draw, path = np.random.default_rng(1), tmp_path_factory.mktemp("data") / "train.npz"
    frames = draw.normal(size=(300, 3)).astype(np.float32)
    labels = np.array(["n", "y"])[(frames[:, 0] > 0).astype(int)].reshape(60, 5)
    np.savez(path, frames=frames, lengths=np.full(60, 5), targets=np.array([" ".join(own) for own in labels]))
    return path


@pytest.fixture(scope="module")
def runs(tiny_config, plain_config_of, series, tmp_path_factory):
    folders = {kind: tmp_path_factory.mktemp("runs") for kind in KINDS}
    for kind, folder in folders.items():
        overrides = [*KINDS[kind], *SHORT]
        data = [f"data.train={series}", "data.dev_size=20"]
        of_frames = "frames" in kind
        config = plain_config_of("train", *overrides, *data) if of_frames else tiny_config(*overrides)
        train(config, folder, resume=False)
    return folders


@pytest.fixture
def undrawn(monkeypatch):
    """Pictures are made, but not drawn, which takes most of the time."""
    monkeypatch.setattr(report_folder, "write_picture", lambda figure, path, dpi: path.touch())


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_gives_a_record_or_says_why_not(command, kind, runs, config_of, tmp_path):
    function, overrides = COMMANDS[command]
    given = [f"run={runs[kind]}", "split=train", "device=cpu"]
    config = config_of(command, *given, f"out={tmp_path / 'out'}", *overrides)
    if (command, kind) in REFUSED:
        with pytest.raises(UserError) as error:
            function(config)
        assert str(error.value) == REFUSED[command, kind].replace("RUN", str(runs[kind]))
        return
    record = function(config)
    if command == "intervene":
        plain = evaluate_run(config_of("evaluate", *given, "threads=1", "bootstrap=0"))
        assert record["none"]["scores"] == plain["scores"]
    if command == "probe":
        signals = {row["signal"] for row in record["probes"]}
        assert {"position", "distance_to_end"} <= signals
        assert ("piece_before" in signals) == (kind in ("stack", "entmax", "others"))
    assert len(list((tmp_path / "out").glob("*.json"))) == 1


@pytest.mark.usefixtures("undrawn")
def test_runs_side_by_side_read_the_same(runs, config_of, tmp_path, caplog):
    def looked_at(*kinds):
        named = f"run=[{','.join(str(runs[kind]) for kind in kinds)}]"
        given = [named, "split=train", "device=cpu", "limit=3", "layers=[encoder.1.forward]"]
        return gradients(config_of("gradients", *given, f"out={tmp_path / '_'.join(kinds).replace(' ', '_')}"))

    assert len(looked_at("entmax", "strided")["curves"]) == 6
    assert "never seen" not in caplog.text
    assert len(looked_at("entmax", "others")["curves"]) == 6
    assert f"of 3 lines have pieces that {runs['others']} has never seen" in caplog.text
    with pytest.raises(UserError) as error:
        looked_at("entmax", "frames")
    assert str(error.value) == (
        f"run must name runs that read the same examples, but {runs['entmax']} reads text and {runs['frames']} frames: "
        "look at them one by one."
    )


@pytest.mark.parametrize("steps", ["null", "[0,1]"])
def test_a_loss_of_what_cannot_be_is_told_and_counted(steps, runs, config_of, tmp_path, capsys, caplog):
    given = [f"run={runs['entmax']}", f"out={tmp_path / 'out'}", "device=cpu", "threads=1", "split=train", "limit=20"]
    change = ["gates=[output,forget]", "to=[60]", "layers=[decoder.1]", "attention=[]", f"steps={steps}"]
    record = intervene(config_of("intervene", *given, *change, "bootstrap=20"))
    lost = [row for row in record["interventions"] if "not_finite" in row]
    assert lost
    assert all(0 < row["not_finite"] <= 20 and math.isinf(row["loss"]) for row in lost)
    assert all("interval" not in row["differences"]["loss"] for row in lost)
    assert all("interval" in row["differences"]["exact_match"] for row in record["interventions"])
    kept = json.loads((tmp_path / "out" / "interventions.json").read_text(encoding="utf-8"))
    assert [row["loss"] is None for row in kept["interventions"]] == [
        "not_finite" in row for row in record["interventions"]
    ]
    assert "not finite" in capsys.readouterr().err
    rows = 1 + len(record["interventions"])
    assert f"the loss of {len(lost)} of {rows} rows is not finite (not_finite: of so many examples)" in caplog.text
