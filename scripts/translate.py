"""Translate stdin to stdout, line i to line i. python scripts/translate.py run=DIR|CKPT < in > out"""

import sys

import hydra
from omegaconf import DictConfig

from seq2seq.assembly.command_line import mistakes_in_one_line, run


@hydra.main(version_base="1.3", config_path="../conf", config_name="translate")
def main(config: DictConfig) -> None:
    with mistakes_in_one_line():
        from seq2seq.assembly.translation import build_translator, translate_lines

        translator = build_translator(config)
        for line in translate_lines(translator, sys.stdin.buffer, buffer=config.buffer):
            print(line)


if __name__ == "__main__":
    run(main)
