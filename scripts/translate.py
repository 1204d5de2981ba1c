"""Translate stdin to stdout, line i to line i. python scripts/translate.py run=DIR|CKPT < in > out"""

import hydra
from omegaconf import DictConfig

from seq2seq.config.closed_table import trusting
from seq2seq.config.command_line import lines_of_stdin, mistakes_in_one_line, run, write_lines


@hydra.main(version_base="1.3", config_path="../conf", config_name="translate")
def main(config: DictConfig) -> None:
    with mistakes_in_one_line(), trusting(config.trust):
        from seq2seq.commands.translate import build_stream

        write_lines(build_stream(config)(lines_of_stdin()))


if __name__ == "__main__":
    run(main)
