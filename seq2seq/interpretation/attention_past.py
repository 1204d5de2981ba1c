"""The past of attention: its own state, and the query of a decoder that asks by the state before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

from torch import Tensor

from seq2seq.interpretation.replacement import replaced
from seq2seq.layers.attention.attention import Attention, StatelessAttention
from seq2seq.models.decoder import Decoder


@contextmanager
def earlier_query(decoder: Decoder, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """A context in which a query that is the state before is changed; a query of the step itself stays as it is."""
    if not decoder.asks_before:
        yield
        return

    def asked(step: Any) -> Any:
        return lambda query, *others: step(change(query), *others)

    with replaced(decoder.attention, step=asked):
        yield


@contextmanager
def detached_past(decoder: Decoder) -> Iterator[None]:
    """A context in which no gradient goes through attention to the steps before."""

    def alone(step: Any) -> Any:
        return lambda query, memory, state: step(query, memory, tuple(part.detach() for part in state))

    with earlier_query(decoder, Tensor.detach):
        if isinstance(decoder.attention, StatelessAttention):  # whose steps stay one
            yield
            return
        by_step = MethodType(Attention.unroll, decoder.attention)
        with replaced(decoder.attention, step=alone, unroll=lambda _: by_step):
            yield
