"""Where gradients go, as one JSON object on stdout. python scripts/gradients.py run=DIR|CKPT"""

import seq2seq.early_interrupt  # noqa: F401, I001  before what takes long to load
import hydra
from omegaconf import DictConfig

from seq2seq.config.closed_table import trusting
from seq2seq.config.command_line import mistakes_in_one_line, run


@hydra.main(version_base="1.3", config_path="../conf", config_name="gradients")
def main(config: DictConfig) -> None:
    with mistakes_in_one_line(), trusting(config.trust):
        from seq2seq.commands.gradients import gradients
        from seq2seq.finite import strict_json

        print(strict_json(gradients(config), ensure_ascii=False))


if __name__ == "__main__":
    run(main)
