"""Score target lines. python scripts/score.py run=DIR|CKPT < pairs.tsv > scores.tsv"""

import seq2seq.early_interrupt  # noqa: F401, I001  before what takes long to load
import hydra
from omegaconf import DictConfig

from seq2seq.config.closed_table import trusting
from seq2seq.config.command_line import mistakes_in_one_line, run


@hydra.main(version_base="1.3", config_path="../conf", config_name="score")
def main(config: DictConfig) -> None:
    with mistakes_in_one_line(), trusting(config.trust):
        from seq2seq.commands.score import score

        score(config)


if __name__ == "__main__":
    run(main)
