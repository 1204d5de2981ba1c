"""Train a model. python scripts/train.py [overrides]; --help lists them."""

import hydra
from omegaconf import DictConfig

from seq2seq.config.closed_table import trusting
from seq2seq.config.command_line import mistakes_in_one_line, run


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(config: DictConfig) -> float:
    with mistakes_in_one_line(), trusting(config.trust):
        from seq2seq.runs.run_folder import open_run_folder, released_at_failure

        resolved, folder = open_run_folder(config)
        with released_at_failure(folder, taken=not config.resume):
            from seq2seq.commands.train import train  # seconds of imports, after the cheap mistakes are found

            return train(resolved, folder, resume=config.resume).objective
    return float("nan")  # of a job in a sweep that failed


if __name__ == "__main__":
    run(main)
