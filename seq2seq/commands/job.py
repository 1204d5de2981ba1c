"""A job of scripts/train.py: training, or what else a config asks of it."""

from omegaconf import DictConfig

from seq2seq.config.contract import check_type
from seq2seq.runs.run_folder import open_run_folder, released_at_failure


def run_job(config: DictConfig) -> float:
    """Train as a config says and return the monitored score of the best checkpoint, or find a learning rate.

    Imports take seconds, and come after the cheap mistakes are found.
    """
    for name in ("resume", "find_lr"):
        check_type(name, config[name], bool)
    if config.find_lr:
        from seq2seq.commands.find_lr import find_lr

        return find_lr(config)
    resolved, folder = open_run_folder(config)
    with released_at_failure(folder, taken=not config.resume):
        from seq2seq.commands.train import train

        return train(resolved, folder, resume=config.resume).objective
