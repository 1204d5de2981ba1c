"""What loggers get beside numbers, and which a run can have."""

import csv

import pytest
import yaml
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.loggers.logger import DummyLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seq2seq.commands.building import loggers as command
from seq2seq.commands.building.loggers import build_loggers, log_config, log_result
from seq2seq.commands.train import train
from seq2seq.errors import UserError
from seq2seq.installed import is_installed
from seq2seq.training.csv_logger import CSVLogger

RECORD = {"split": "test", "scores": {"wer": 12.5, "per": 3.0}, "step": 40}


class Board(DummyLogger):
    """A logger that remembers what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list = []

    def log_hyperparams(self, params, *_, **__) -> None:
        self.told.append(params)

    def log_metrics(self, metrics, step=None) -> None:
        self.told.append((metrics, step))

    def finalize(self, status) -> None:
        self.told.append(status)


def test_every_logger_gets_hyperparameters_then_scores_and_is_closed(tiny_config):
    config, board = tiny_config("optimizer.lr=0.25"), Board()
    log_config([board], config, parameters=77)
    log_result([board], config, RECORD, parameters=77)
    hyperparameters, scores, status = board.told
    assert hyperparameters["optimizer.lr"] == 0.25
    assert hyperparameters["parameters"] == 77
    assert not any("_target_" in name for name in hyperparameters)
    assert scores == ({"test/wer": 12.5, "test/per": 3.0}, 40)
    assert status == "success"


def test_several_loggers_write_side_by_side(tiny_config, tmp_path, capsys):
    train(tiny_config("logger=[tensorboard,csv]", "budget.max_steps=2"), tmp_path, resume=False)
    with (tmp_path / "metrics" / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert any(row["train/loss"] for row in rows)
    assert [float(row["test/exact_match"]) for row in rows if row["test/exact_match"]]
    kept = yaml.safe_load((tmp_path / "metrics" / "hparams.yaml").read_text(encoding="utf-8"))
    assert kept["budget.max_steps"] == 2
    assert kept["parameters"] > 1000
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {"train/loss", "test/exact_match"} <= set(events.Tags()["scalars"])


def test_each_is_chosen_by_name(tiny_config, tmp_path):
    kinds = {"tensorboard": TensorBoardLogger, "csv": CSVLogger}
    for names in (["tensorboard"], ["csv"], ["csv", "tensorboard"]):
        built = build_loggers(tiny_config(f"logger=[{','.join(names)}]"), tmp_path)
        assert [type(board) for board in built] == [kinds[name] for name in names]
    assert build_loggers(tiny_config("logger=none"), tmp_path) == []
    assert build_loggers(tiny_config("logger=[tensorboard,csv]", "logger.csv=null"), tmp_path)[1:] == []


@pytest.mark.parametrize("library", ["wandb", "mlflow"])
def test_a_library_that_is_lacking_is_told_before_anything_is_done(tiny_config, tmp_path, monkeypatch, library):
    monkeypatch.setattr(command, "is_installed", lambda name: False)
    monkeypatch.setattr(
        "seq2seq.commands.training.distilled_data.load_splits", lambda config: pytest.fail("data were read")
    )
    with pytest.raises(UserError) as error:
        train(tiny_config(f"logger={library}"), tmp_path, resume=False)
    assert str(error.value) == f"logger={library} needs the library {library}: pip install -e '.[{library}]'."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("library", "options", "expected"),
    [
        ("wandb", [], {"name": "run", "project": "reverse", "offline": False}),
        ("wandb", ["logger.wandb.offline=true", "logger.wandb.name=mine"], {"name": "mine", "offline": True}),
        ("mlflow", [], {"run_name": "run", "experiment_name": "reverse"}),
        ("mlflow", ["logger.mlflow.tracking_uri=sqlite:///x"], {"tracking_uri": "sqlite:///x"}),
    ],
)
def test_other_loggers_are_built_with_the_name_of_the_run(
    tiny_config, tmp_path, monkeypatch, library, options, expected
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(command, "is_installed", lambda name: True)
    given = {}
    monkeypatch.setattr(
        command, "build", lambda node, path: lambda **own: given.update(node, path=path, **own) or Board()
    )
    build_loggers(tiny_config(f"logger={library}", *options), tmp_path / "run")
    assert given["path"] == f"logger.{library}"
    assert given["save_dir"] == str(tmp_path / "run")
    assert {name: given[name] for name in expected} == expected
    if library == "mlflow" and not options:
        assert given["tracking_uri"] == f"sqlite:///{tmp_path}/run/mlflow.db"


@pytest.mark.filterwarnings("ignore")  # theirs
@pytest.mark.parametrize("library", ["wandb", "mlflow"])
def test_a_run_is_kept_without_a_network(tiny_config, tmp_path, monkeypatch, capsys, library):
    if not is_installed(library):
        pytest.skip(f"{library} is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    train(tiny_config(f"logger={library}", "budget.max_steps=2"), tmp_path, resume=False)
    if library == "wandb":
        assert list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
        return
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("reverse").experiment_id])
    assert run.data.params["budget.max_steps"] == "2"
    assert {"train/loss", "test/exact_match"} <= run.data.metrics.keys()
    assert run.info.run_name == tmp_path.name
