"""Choose how many CPU threads decode fastest, and which of several forms of a model does."""

import time
from collections.abc import Sequence
from itertools import product
from typing import Any

import torch

from seq2seq.control_groups import threads_left
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

    `auto` takes whichever takes so many lines through a few steps sooner; so it is with the forms of a translator's
    model. Raises UserError at anything else than a whole number of at least 1.
    """
    counts, width = _counts(threads, translator, lines), translator.search.width
    if len(translator.forms) > 1:
        shape = lines, width
    elif len(counts) > 1:
        shape = 1, lines * width
    else:
        torch.set_num_threads(counts[0])
        return
    translator.other_forms = translator.forms
    translator.stepper, fastest = _fastest(translator.other_forms, counts, _source(translator, shape[0]), shape[1])
    torch.set_num_threads(fastest)


def _counts(threads: object, translator: Translator, lines: int) -> tuple[int, ...]:
    """The numbers of threads that there is a choice of. Raises UserError if what is asked for is none."""
    if threads == "auto":
        available, hypotheses = threads_left(torch.get_num_threads()), lines * translator.search.width
        few = torch.device(translator.device).type == "cpu" and hypotheses < ENOUGH_WORK
        return (1, available) if few and available > 1 else (available,)
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise UserError(f"threads must be auto or at least 1, but is {threads!r}.")
    return (threads,)


def _source(translator: Translator, count: int) -> Source:
    """Sources, so many, such as a translator reads, `batch source`, or of frames `batch source feature`."""
    reader = translator.tokenizers.source
    if isinstance(reader, FrameReader):
        return torch.zeros(count, _SOURCE_LENGTH, reader.size)
    return torch.full((count, _SOURCE_LENGTH), UNK)


def _fastest(steppers: Sequence[Stepper], counts: Sequence[int], source: Source, beam: int) -> tuple[Stepper, int]:
    """The stepper, and the number of threads, that take hypotheses of sentences, `batch beam`, through steps sooner."""
    seconds: dict[tuple[int, int], list[float]] = {each: [] for each in product(range(len(steppers)), counts)}
    for _ in range(_ROUNDS + 1):  # the first warms up
        for number, count in seconds:
            torch.set_num_threads(count)
            started = time.perf_counter()
            _take_steps(steppers[number], source, beam)
            seconds[number, count].append(time.perf_counter() - started)
    number, count = min(seconds, key=lambda each: min(seconds[each][1:]))
    return steppers[number], count


@torch.inference_mode()
def _take_steps(stepper: Stepper, source: Source, beam: int) -> None:
    shape = len(source), beam
    memory, first = stepper.start(source, torch.full((len(source),), _SOURCE_LENGTH))
    states: Any = reorder(first, torch.zeros(shape, dtype=torch.long))
    for _ in range(_STEPS):
        _, _, states = stepper.step(torch.full(shape, BOS), memory, states)
