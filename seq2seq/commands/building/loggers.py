"""Loggers of a run, as a config describes them, and what each is told of the run as a whole."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger

from seq2seq.config.builder import build
from seq2seq.config.options import flat
from seq2seq.errors import UserError
from seq2seq.installed import is_installed

# Libraries that loggers need, which are extras of the same name; and the option by which a run has its name there.
_NEEDED = {"pytorch_lightning.loggers.WandbLogger": "wandb", "pytorch_lightning.loggers.MLFlowLogger": "mlflow"}
_NAME = {"wandb": "name", "mlflow": "run_name"}


def build_loggers(config: dict[str, Any], folder: Path) -> list[Logger]:
    """The loggers of a config, which write into the run's folder unless they send what they get elsewhere.

    Raises UserError if one needs a library that is not installed.
    """
    loggers = [_logger(name, node, folder) for name, node in (config["logger"] or {}).items() if node]
    writes = any(isinstance(board, TensorBoardLogger) for board in loggers)
    if writes and not isinstance(threading.excepthook, _ToldOnce):
        threading.excepthook = _ToldOnce(threading.excepthook)
    return loggers


class _ToldOnce:
    """A hook that says nothing of a thread that cannot write event files: what logs next, or closes them, raises it.

    Another hook, which was there before, is told of all other threads.
    """

    def __init__(self, before: Callable[[threading.ExceptHookArgs], Any]) -> None:
        self.before = before

    def __call__(self, failure: threading.ExceptHookArgs) -> None:
        if not (isinstance(failure.exc_value, OSError) and type(failure.thread).__module__.startswith("tensorboard")):
            self.before(failure)


def _logger(name: str, node: dict[str, Any], folder: Path) -> Logger:
    library = _NEEDED.get(str(node.get("_target_", "")))
    if library is None:
        return build(node, f"logger.{name}")(save_dir=str(folder))
    if not is_installed(library):
        raise UserError(f"logger={name} needs the library {library}: pip install -e '.[{library}]'.")
    own = {_NAME[library]: folder.absolute().name}
    if library == "mlflow":  # which keeps new runs in files no more
        own["tracking_uri"] = f"sqlite:///{(folder.absolute() / 'mlflow.db').as_posix()}"
    missing = {option: value for option, value in own.items() if node.get(option) is None}
    return build({**node, **missing}, f"logger.{name}")(save_dir=str(folder))


def log_config(loggers: list[Logger], config: dict[str, Any], **more: Any) -> None:
    """Give every logger the config that a run starts with: as text, or as hyperparameters beside `more` of them."""
    for board in loggers:
        if isinstance(board, TensorBoardLogger):  # whose hyperparameters come with the scores
            board.experiment.add_text("config", f"```yaml\n{OmegaConf.to_yaml(config)}```")
        else:
            board.log_hyperparams(hyperparameters(config) | more)


def log_result(loggers: list[Logger], config: dict[str, Any], record: dict[str, Any], **more: Any) -> None:
    """Give every logger the scores that a run ends with, and close it."""
    scores = {f"{record['split']}/{name}": value for name, value in record["scores"].items()}
    for board in loggers:
        if isinstance(board, TensorBoardLogger):
            board.log_hyperparams(hyperparameters(config) | more, scores)
        else:
            board.log_metrics(scores, record["step"])
        board.finalize("success")
        if isinstance(board, WandbLogger):
            board.experiment.finish()  # the next job of a sweep is another run


def hyperparameters(config: dict[str, Any]) -> dict[str, Any]:
    """Values of a config, in plain types, by dotted key, for tables of runs."""
    return {
        key: value
        for key, value in flat(config).items()
        if not isinstance(value, dict) and not key.rpartition(".")[2].startswith("_")
    }
