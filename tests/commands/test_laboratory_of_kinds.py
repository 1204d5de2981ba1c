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


def leave_undrawn(patch):
    """Have pictures be made, but not drawn, which takes most of the time."""
    patch.setattr(report_folder, "write_picture", lambda figure, path, dpi: path.touch())


@pytest.fixture
def undrawn(monkeypatch):
    """Pictures are not drawn."""
    leave_undrawn(monkeypatch)


@pytest.fixture(scope="module")
def recorded(runs, config_of, tmp_path_factory):
    """The record of a command on a kind of run, made once, and the folder that it is written to."""
    known = {}

    def record_of(command, kind):
        if (command, kind) not in known:
            function, overrides = COMMANDS[command]
            out = tmp_path_factory.mktemp("records") / "out"
            given = [f"run={runs[kind]}", "split=train", "device=cpu", f"out={out}", *overrides]
            with pytest.MonkeyPatch.context() as patch:
                leave_undrawn(patch)
                known[command, kind] = function(config_of(command, *given)), out
        return known[command, kind]

    return record_of


@pytest.mark.parametrize(
    ("command", "kind"), [(command, kind) for command in COMMANDS for kind in KINDS if (command, kind) not in REFUSED]
)
def test_a_command_writes_one_record(command, kind, recorded):
    record, folder = recorded(command, kind)
    assert record
    assert len(list(folder.glob("*.json"))) == 1


@pytest.mark.parametrize(("command", "kind"), REFUSED)
def test_a_command_says_why_it_gives_none(command, kind, recorded, runs):
    with pytest.raises(UserError) as error:
        recorded(command, kind)
    assert str(error.value) == REFUSED[command, kind].replace("RUN", str(runs[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_an_intervention_that_changes_nothing_scores_as_evaluate_does(kind, recorded, runs, config_of):
    given = [f"run={runs[kind]}", "split=train", "device=cpu", "threads=1", "bootstrap=0"]
    record, _ = recorded("intervene", kind)
    assert record["none"]["scores"] == evaluate_run(config_of("evaluate", *given))["scores"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if ("probe", kind) not in REFUSED])
def test_pieces_before_are_a_signal_where_cells_go_through_pieces(kind, recorded):
    record, _ = recorded("probe", kind)
    signals = {row["signal"] for row in record["probes"]}
    assert {"position", "distance_to_end"} <= signals
    assert ("piece_before" in signals) == (kind in ("stack", "entmax", "others"))


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
