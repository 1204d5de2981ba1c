"""A run folder to lines of text, without Lightning, datasets or torchmetrics."""

import logging
from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from seq2seq.assembly.contract import check, plain
from seq2seq.assembly.run import load_run, pick_device
from seq2seq.decoding.translator import Translator
from seq2seq.errors import UserError

logger = logging.getLogger(__name__)


def build_translator(config: DictConfig) -> Translator:
    """The translator that a config with `run`, `decoding`, `device` and `batch_size` describes."""
    options = plain(config)
    check(options)
    torch.set_flush_denormal(True)
    device = pick_device(options["device"])
    run = load_run(options["run"], device)
    search = instantiate(options["decoding"])
    return Translator(run.model, run.tokenizers, search, batch_size=options["batch_size"], device=device)


def translate_lines(translator: Translator, lines: Iterable[bytes], *, buffer: int) -> Iterator[str]:
    """One line for every line. Bytes that are not UTF-8 are replaced; unknown characters are warned of once."""
    if buffer < 1:
        raise UserError(f"buffer must be at least 1, but is {buffer}.")
    stream, warned = iter(lines), False
    while chunk := [_text(line) for line in islice(stream, buffer)]:
        if not warned:
            warned = _warn_of_unknown(translator, chunk)
        for text in translator(chunk):
            yield text.replace("\n", " ")


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").rstrip("\r\n")


def _warn_of_unknown(translator: Translator, texts: list[str]) -> bool:
    for text in texts:
        if unknown := translator.tokenizers.source.unknown(text):
            shown = ", ".join(repr(piece.replace("\u2581", " ").strip()) for piece in dict.fromkeys(unknown))
            logger.warning("never seen in training, translated as unknown: %s (in %r; said once)", shown, text[:60])
            return True
    return False
