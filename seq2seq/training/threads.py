"""The number of CPU threads that training runs on."""

from collections.abc import Callable
from functools import partial

import torch

from seq2seq.control_groups import threads_left
from seq2seq.errors import UserError
from seq2seq.machine import can_measure, measured
from seq2seq.training.precision import lstm_step

_NEARLY = 1.05  # times the shortest time, which fewer threads may take
_ROWS = 16, 512  # of a batch, at least and at most, in the measurement


def set_training_threads(threads: object, *, size: int, rows: int, bf16: bool) -> int:
    """Set and return the threads that are asked for; `auto` is the fewest that train nearly as fast as any.

    That is measured on a layer as wide as `size` with batches of so many rows; while others use the processor it cannot
    be, and all are taken. Raises UserError as `check_threads` does.
    """
    check_threads(threads)
    if isinstance(threads, int):
        torch.set_num_threads(threads)
    else:
        torch.set_num_threads(_fewest(threads_left(torch.get_num_threads()), size=size, rows=rows, bf16=bf16))
    return torch.get_num_threads()


def check_threads(threads: object) -> None:
    """Raise UserError at anything else than auto or a whole number of at least 1."""
    if threads != "auto" and (not isinstance(threads, int) or isinstance(threads, bool) or threads < 1):
        raise UserError(f"threads must be auto or a whole number of at least 1, but is {threads!r}.")


def _fewest(available: int, *, size: int, rows: int, bf16: bool) -> int:
    """The fewest threads, a power of two or all, that are nearly as fast as the best."""
    counts = sorted({2**power for power in range(available.bit_length())} | {available})
    if len(counts) == 1:
        return available
    least, most = _ROWS
    rows = 2 ** (min(max(rows, least), most) - 1).bit_length()  # few questions, as each is kept
    step = lstm_step(bf16=bf16, rows=rows, size=size)
    question = f"train an LSTM of {size} on {rows} rows in {'bf16' if bf16 else 'float32'} by threads"
    ways = {str(count): partial(_on, count, step) for count in counts}
    if not can_measure(question, ways):
        return available
    seconds = measured(question, ways)
    torch.set_num_threads(available)
    nearly = _NEARLY * min(seconds.values())
    return next(count for count in counts if seconds[str(count)] <= nearly)


def _on(count: int, step: Callable[[], None]) -> None:
    torch.set_num_threads(count)
    step()
