"""Choose how many CPU threads decode fastest."""

import time
from typing import Any

import torch

from seq2seq.data.frame_reader import FrameReader
from seq2seq.decoding.stepper import Stepper, reorder
from seq2seq.errors import UserError
from seq2seq.shapes import Source
from seq2seq.symbols import BOS, UNK
from seq2seq.translation.translator import Translator

# From this many hypotheses on, all threads were faster for every model tried; below, it depends on model and machine.
ENOUGH_WORK = 64
_SOURCE_LENGTH, _STEPS, _ROUNDS = 12, 6, 3


def set_threads(threads: object, translator: Translator, *, lines: int) -> None:
    """Set the threads that are asked for; for `auto`, all there are or 1.

    `auto` takes whichever takes so many lines through a few steps sooner. Raises UserError at anything else than a
    whole number of at least 1.
    """
    if threads == "auto":
        available, hypotheses = torch.get_num_threads(), lines * translator.search.width
        if torch.device(translator.device).type == "cpu" and hypotheses < ENOUGH_WORK and available > 1:
            torch.set_num_threads(_faster(translator.stepper, _source(translator), (1, available), hypotheses))
        return
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise UserError(f"threads must be auto or at least 1, but is {threads!r}.")
    torch.set_num_threads(threads)


def _source(translator: Translator) -> Source:
    """A source such as a translator reads, `1 source`, or of frames `1 source feature`."""
    reader = translator.tokenizers.source
    if isinstance(reader, FrameReader):
        return torch.zeros(1, _SOURCE_LENGTH, reader.features)
    return torch.full((1, _SOURCE_LENGTH), UNK)


def _faster(stepper: Stepper, source: Source, candidates: tuple[int, ...], hypotheses: int) -> int:
    seconds: dict[int, list[float]] = {count: [] for count in candidates}
    for _ in range(_ROUNDS + 1):  # the first warms up
        for count in candidates:
            torch.set_num_threads(count)
            started = time.perf_counter()
            _take_steps(stepper, source, hypotheses)
            seconds[count].append(time.perf_counter() - started)
    return min(candidates, key=lambda count: min(seconds[count][1:]))


@torch.inference_mode()
def _take_steps(stepper: Stepper, source: Source, hypotheses: int) -> None:
    memory, first = stepper.start(source, torch.tensor([source.shape[1]]))
    states: Any = reorder(first, torch.zeros(1, hypotheses, dtype=torch.long))
    for _ in range(_STEPS):
        _, _, states = stepper.step(torch.full((1, hypotheses), BOS), memory, states)
