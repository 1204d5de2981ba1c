"""How far cells learn to remember, as one JSON object on stdout. python scripts/horizon.py task=delay"""

import seq2seq.early_interrupt  # noqa: F401, I001  before what takes long to load
import hydra
from omegaconf import DictConfig

from seq2seq.config.closed_table import trusting
from seq2seq.config.command_line import mistakes_in_one_line, run


@hydra.main(version_base="1.3", config_path="../conf", config_name="horizon")
def main(config: DictConfig) -> None:
    with mistakes_in_one_line(), trusting(config.trust):
        from seq2seq.commands.horizon import find_horizon
        from seq2seq.finite import strict_json

        print(strict_json(find_horizon(config), ensure_ascii=False))


if __name__ == "__main__":
    run(main)
