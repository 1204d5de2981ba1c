"""Train a model. python scripts/train.py [overrides]; --help lists them."""

import seq2seq.early_interrupt  # noqa: F401, I001  before what takes long to load
import hydra
from omegaconf import DictConfig

from seq2seq.commands.job import lines_of_sweep, run_job
from seq2seq.config.closed_table import trusting
from seq2seq.config.command_line import mistakes_in_one_line, run


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(config: DictConfig) -> float:
    with mistakes_in_one_line(), trusting(config.trust):
        return run_job(config)
    return float("nan")  # of a job in a sweep that failed


if __name__ == "__main__":
    run(main, end=lines_of_sweep)
