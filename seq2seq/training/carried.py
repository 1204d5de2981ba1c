"""States that rows of running text carry from batch to batch."""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.data.running_text import TextBatch
from seq2seq.layers.recurrent.state import map_state
from seq2seq.models.decoder import States
from seq2seq.models.language_model import LanguageModel
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.shapes import SoftIds, TargetIds

logger = logging.getLogger(__name__)
_KEY = "carried_states"


def rate_of(batch: Batch) -> float:
    """The number that a batch multiplies the learning rate by."""
    return batch.rate if isinstance(batch, TextBatch) else 1.0


class CarriedStates:
    """The states behind the last batch of running text, from which its rows go on; detached, so gradients end there.

    A process carries those of its own rows. A checkpoint holds those of all, in the order of the rows.
    """

    def __init__(self) -> None:
        self.states: States | None = None
        self._restored: list[list[Tensor]] | None = None  # by layer and part, until a batch says of what kind they are
        self._anew = False  # whether those of a checkpoint are of another text

    def begin_anew(self) -> None:
        """Leave the states of the checkpoint that is restored next: they are of a text that has changed since."""
        self._anew = True

    def forward(self, model: Seq2Seq, batch: Batch, inputs: TargetIds | SoftIds) -> ModelOutputs:
        """Outputs of a model for a batch; of running text from the states of its rows, whose last ones are kept."""
        if not isinstance(batch, TextBatch) or not isinstance(model, LanguageModel):
            return model(batch.source, batch.source_lengths, inputs)
        entering = self._entering(model, batch)
        outputs, self.states = model.going_on(batch.source, batch.source_lengths, inputs, entering)
        return outputs

    def _entering(self, model: LanguageModel, batch: TextBatch) -> States | None:
        self._leave_other_rows(len(batch.source))
        if self._restored is not None:
            kinds = [layout.kind for layout in model.decoder.layouts]
            layers = tuple(kind(*parts) for kind, parts in zip(kinds, self._restored, strict=True))
            self.states = States(layers, ())
            self._restored = None
        if self.states is None or len(self.states.layers[0].hidden) != len(batch.source):
            return None
        fresh = torch.zeros(len(batch.source), dtype=torch.bool) if batch.fresh is None else batch.fresh
        anew = fresh.to(batch.source.device).unsqueeze(1)
        # (batch, hidden) by (batch, 1)
        kept = self.states.layers
        entering = [map_state(lambda part: part.to(anew.device).masked_fill(anew, 0), own) for own in kept]
        return States(tuple(entering), ())

    def _leave_other_rows(self, rows: int) -> None:
        """Leave restored states of another number of rows than there is now, which is said."""
        if self._restored is None or len(self._restored[0][0]) == rows:
            return
        logger.warning(
            "running text is read in %d rows, of which the run has carried states of %d: all begin without a state",
            *(rows, len(self._restored[0][0])),
        )
        self._restored = None

    def record(self, processes: int) -> dict[str, Any]:
        """Entries of a checkpoint; all processes have to ask for them. Nothing where no text is carried."""
        if self.states is None and self._restored is None:
            return {}
        layers = self.states.layers if self.states else ()
        own = self._restored or [[part.cpu() for part in state] for state in layers]
        return {_KEY: own if processes == 1 else _of_all(own, processes)}

    def restore(self, checkpoint: Mapping[str, Any], rank: int, processes: int) -> None:
        """Take up the states of this process's rows, if a checkpoint has any."""
        self.states, self._restored = None, None
        if _KEY in checkpoint and self._anew:
            logger.warning("running text has changed: its rows begin without the states that the run has carried")
        elif _KEY in checkpoint:
            self._restored = [[part[rank::processes] for part in layer] for layer in checkpoint[_KEY]]
        self._anew = False


def _of_all(own: list[list[Tensor]], processes: int) -> list[list[Tensor]]:
    """The states of all processes' rows, of which each has every `processes`-th."""
    every: list[Any] = [None] * processes
    torch.distributed.all_gather_object(every, own)
    return [
        [_interleaved([every[rank][layer][part] for rank in range(processes)]) for part in range(len(parts))]
        for layer, parts in enumerate(own)
    ]


def _interleaved(shares: list[Tensor]) -> Tensor:
    rows = sum(map(len, shares))
    return torch.stack([shares[row % len(shares)][row // len(shares)] for row in range(rows)])
