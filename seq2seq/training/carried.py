"""States that rows of streams carry from batch to batch."""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from seq2seq.data.batch import Batch, StreamBatch
from seq2seq.data.running_text import TextBatch
from seq2seq.interpretation.recording import evaluating
from seq2seq.layers.recurrent.state import map_state
from seq2seq.models.decoder import States
from seq2seq.models.encoder import EncoderState, finite_rows
from seq2seq.models.language_model import LanguageModel
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.models.source_streams import outputs_of_segment
from seq2seq.shapes import RowMask, Written

logger = logging.getLogger(__name__)
_KEY, _ROWS = "carried_states", "carried_rows"  # in a checkpoint


def rate_of(batch: Batch) -> float:
    """The number that a batch multiplies the learning rate by."""
    return batch.rate if isinstance(batch, TextBatch) else 1.0


class CarriedStates:
    """The states behind the last batch of streams, from which its rows go on; detached, so gradients end there.

    They are the decoder's of a language model, which reads running text, and the encoder's of any other. A process
    carries those of its own rows. A checkpoint holds those of all, in the order of the rows.
    """

    def __init__(self) -> None:
        self.states: States | EncoderState | None = None
        self._restored: list[Any] | None = None  # lists of tensors, until a batch says of what kind they are
        self._rows: int | None = None  # that the text of the states is cut into, where batches can have fewer
        self._anew = False  # whether those of a checkpoint are of another text

    def begin_anew(self) -> None:
        """Leave the states of the checkpoint that is restored next: they are of a text that has changed since."""
        self._anew = True

    def forward(self, model: Seq2Seq, batch: Batch, inputs: Written) -> ModelOutputs:
        """Outputs of a model for a batch; of streams from the states of its rows, whose last ones are kept."""
        if not isinstance(batch, StreamBatch):
            return model(batch.source, batch.source_lengths, inputs)
        rows = len(batch.source)
        self._leave_other_rows(rows, batch.rows)
        leaving: States | EncoderState
        fresh = torch.zeros(rows, dtype=torch.bool) if batch.fresh is None else batch.fresh
        fresh = fresh.to(batch.source.device)
        if isinstance(model, LanguageModel):
            before = self._of_rows(model, rows)
            entering = None if before is None else _of_text(before, fresh)
            outputs, leaving = model.going_on(batch.source, batch.source_lengths, inputs, entering)
        else:
            before = None if batch.silent else self._of_rows(model, rows)
            state = model.encoder.start(rows) if before is None else model.encoder.go_on(before, fresh)
            outputs, leaving = outputs_of_segment(model, batch.source, batch.source_lengths, inputs, state)
        if not batch.silent:
            self.states = pytree.tree_map(Tensor.detach, leaving)
        return outputs

    def _of_rows(self, model: Seq2Seq, rows: int) -> Any:
        """The states of so many rows, on the model's device; None where there are not as many."""
        device = next(model.parameters()).device
        if self._restored is not None:
            self.states, self._restored = _like(model, self._restored), None
        if self.states is None or len(pytree.tree_leaves(self.states)[0]) < rows:
            return None
        # The last batch of an epoch can have fewer rows, the first ones.
        return pytree.tree_map(lambda part: part[:rows].to(device), self.states)

    def _leave_other_rows(self, rows: int, cut_into: int | None) -> None:
        """Leave restored states where the text is cut into other rows than theirs was, which is said."""
        of_states, self._rows = self._rows, cut_into
        if self._restored is None:
            return
        known = len(pytree.tree_leaves(self._restored)[0])
        if cut_into is not None:  # else each batch has all rows
            rows, known = cut_into, cut_into if of_states is None else of_states  # earlier versions do not say
        if known == rows:
            return
        logger.warning(
            "the text is read in %d rows, of which the run has carried states of %d: all begin without a state",
            *(rows, known),
        )
        self._restored = None

    def record(self, processes: int) -> dict[str, Any]:
        """Entries of a checkpoint; all processes have to ask for them. Nothing where no text is carried."""
        if self.states is None and self._restored is None:
            return {}
        own = self._restored or _lists(self.states.layers if isinstance(self.states, States) else self.states)
        rows = {} if self._rows is None else {_ROWS: self._rows}
        return {_KEY: own if processes == 1 else _of_all(own, processes), **rows}

    def restore(self, checkpoint: Mapping[str, Any], rank: int, processes: int) -> None:
        """Take up the states of this process's rows, if a checkpoint has any."""
        self.states, self._restored, self._rows = None, None, checkpoint.get(_ROWS)
        if _KEY in checkpoint and self._anew:
            logger.warning("the text has changed: its rows begin without the states that the run has carried")
        elif _KEY in checkpoint:
            self._restored = pytree.tree_map(lambda part: part[rank::processes], checkpoint[_KEY])
        self._anew = False


def _of_text(states: States, fresh: RowMask) -> States:
    """The states of rows of running text, zero in fresh ones and in those whose state is not finite."""
    anew = (fresh | ~finite_rows(states)).unsqueeze(1)  # (batch, 1), beside (batch, hidden)
    return States(tuple(map_state(lambda part: part.masked_fill(anew, 0), own) for own in states.layers), ())


def _lists(nest: Any) -> Any:
    """A nest of tuples as one of lists, which any checkpoint can hold, on the host."""
    return nest.cpu() if isinstance(nest, Tensor) else [_lists(part) for part in nest]


def _like(model: Seq2Seq, restored: list[Any]) -> States | EncoderState:
    """Restored lists as the states that a model hands on."""
    if isinstance(model, LanguageModel):
        kinds = [layout.kind for layout in model.decoder.layouts]
        return States(tuple(kind(*parts) for kind, parts in zip(kinds, restored, strict=True)), ())
    with evaluating(model):  # so that no mask is drawn: the step under way has its random numbers
        shape = pytree.tree_structure(model.encoder.start(1))
    return pytree.tree_unflatten(pytree.tree_leaves(restored), shape)


def _of_all(own: list[Any], processes: int) -> list[Any]:
    """The states of all processes' rows, of which each has every `processes`-th."""
    every: list[Any] = [None] * processes
    torch.distributed.all_gather_object(every, own)
    return pytree.tree_map(lambda *shares: _interleaved(shares), *every)


def _interleaved(shares: tuple[Tensor, ...]) -> Tensor:
    rows = sum(map(len, shares))
    return torch.stack([shares[row % len(shares)][row // len(shares)] for row in range(rows)])
