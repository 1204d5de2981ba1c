"""Memory that is not enough, told in one line: for what, and what to lower."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError

ADVICE = "lower batches.max_tokens, or batches.max_length where single pairs are long, or make the model smaller"


class MemoryShortError(UserError):
    """Memory that is not enough for a batch, told in one line: its shape, and what to do."""

    exit_code = 3


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory was not enough: of a device, of Python, or of torch on a CPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)  # DefaultCPUAllocator has no own kind


def shape_of(batch: Batch) -> str:
    """The shape of a batch in words."""
    rows, source = batch.source.shape[:2]
    return f"{rows:,} pairs, sources of {source:,} and targets of {batch.target_outputs.shape[1]:,} tokens"


@contextmanager
def told_short_for(what: Callable[[], str]) -> Iterator[None]:
    """Tell memory that is not enough in one line, for as long as the context is open; `what` says for what it is not.

    Raises MemoryShortError in place of such an error; another is what it was.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryShortError(f"memory is not enough for {what()}: {ADVICE}.") from None
