"""Test the promises on a checkpoint of your own. python scripts/selfcheck.py run=DIR|CKPT"""

import seq2seq.early_interrupt  # noqa: F401, I001  before what takes long to load
import hydra
from omegaconf import DictConfig

from seq2seq.config.closed_table import trusting
from seq2seq.config.command_line import mistakes_in_one_line, run


@hydra.main(version_base="1.3", config_path="../conf", config_name="selfcheck")
def main(config: DictConfig) -> None:
    with mistakes_in_one_line(), trusting(config.trust):
        from seq2seq.commands.selfcheck import selfcheck

        if not selfcheck(config):
            raise SystemExit(1)


if __name__ == "__main__":
    run(main)
