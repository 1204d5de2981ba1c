"""The gates of every layer while it learns."""

import logging
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.loggers import TensorBoardLogger

from seq2seq.errors import UserError, check_finite
from seq2seq.interpretation.gates import saturation, time_constants
from seq2seq.interpretation.trace import CellTrace, Trace, named_cells, trace
from seq2seq.training.callbacks.sample_pairs import sample_pairs
from seq2seq.training.module import Seq2SeqModule

logger = logging.getLogger(__name__)
_BINS = 64  # of a histogram, as wide as each other


class GateMonitor(lightning.Callback):
    """Logs mean, share saturated and gradient norm of every layer's gates, and time constants of its memory.

    At every validation it traces the first `sentences` dev pairs of at most `max_tokens`, whose targets are forced.
    A gate is saturated below `low` and above `high`; over a share of `threshold` it is warned of, once until it is
    below again. Time constants are in steps. Gradient norms are those before clipping, at every step that is logged.
    Raises UserError outside its ranges.
    """

    def __init__(
        self,
        *,
        sentences: int = 16,
        max_tokens: int = 256,
        low: float = 0.1,
        high: float = 0.9,
        threshold: float = 0.95,
    ) -> None:
        check_finite(low=low, high=high, threshold=threshold)
        for name, value in (("sentences", sentences), ("max_tokens", max_tokens)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, but is {value}.")
        if not 0 <= low < high <= 1:
            raise UserError(
                f"low and high need 0 <= low < high <= 1, but low is {low} and high {high}: change one of them."
            )
        if not 0 < threshold <= 1:
            raise UserError(f"threshold must be above 0 and at most 1, but is {threshold}: give a share.")
        self.sentences, self.max_tokens = sentences, max_tokens
        self.low, self.high, self.threshold = low, high, threshold
        self.saturated: dict[str, float] = {}  # shares of gates at the last validation, by cell and gate
        self._warned: set[str] = set()

    def on_before_optimizer_step(self, trainer: lightning.Trainer, pl_module: Any, optimizer: Any) -> None:
        off = trainer.global_step % trainer.log_every_n_steps  # type: ignore[attr-defined]
        if off or not trainer.is_global_zero:
            return
        norms = {
            f"gates/{name}/{gate}/gradient_norm": view.gradient_norm()
            for name, cell in named_cells(pl_module.model).items()
            for gate, view in cell.gates.items()
        }
        read = dict(zip(norms, torch.stack(list(norms.values())).tolist(), strict=True))  # all in one wait
        for board in trainer.loggers:
            board.log_metrics(read, trainer.global_step)

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        if not trainer.is_global_zero or (traced := self._trace(pl_module)) is None:
            return
        scalars: dict[str, float] = {}
        self.saturated = {}
        for cell in traced.cells.values():
            if self._is_finite(cell, trainer.global_step):
                scalars |= self._scalars(cell)
                self._draw(cell, trainer)
        self._tell(trainer.global_step)
        for board in trainer.loggers:
            board.log_metrics(scalars, trainer.global_step)

    def _trace(self, module: Seq2SeqModule) -> Trace | None:
        """The trace of the sample; None if there is nothing in it."""
        pairs = sample_pairs(module, self.sentences, self.max_tokens)
        return None if pairs is None else trace(module.model, *pairs)

    def _scalars(self, cell: CellTrace) -> dict[str, float]:
        scalars = {
            f"gates/{cell.name}/{name}/mean": float(values[cell.mask].mean()) for name, values in cell.gates.items()
        }
        for name, shares in saturation(cell, low=self.low, high=self.high).items():
            saturated = shares.low + shares.high
            scalars[f"gates/{cell.name}/{name}/saturated"] = self.saturated[f"{cell.name} {name}"] = saturated
        if (times := time_constants(cell)) is not None:
            scalars[f"gates/{cell.name}/time_constant"] = float(times.median())
        return scalars

    def _draw(self, cell: CellTrace, trainer: lightning.Trainer) -> None:
        for board in (one.experiment for one in trainer.loggers if isinstance(one, TensorBoardLogger)):
            for name, values in cell.gates.items():
                board.add_histogram(f"gates/{cell.name}/{name}", values[cell.mask], trainer.global_step, bins=_BINS)
            if (times := time_constants(cell)) is not None:
                ending = times[times.isfinite()]  # a unit whose gate never shuts forgets nothing
                if len(ending):
                    board.add_histogram(f"gates/{cell.name}/time_constants", ending, trainer.global_step)

    def _tell(self, step: int) -> None:
        """Warn of gates that are saturated since this validation, in one line."""
        over = {gate: share for gate, share in self.saturated.items() if share > self.threshold}
        new = {_phrase(gate): share for gate, share in over.items() if gate not in self._warned}
        self._warned = (self._warned - self.saturated.keys()) | over.keys()
        if not new:
            return
        most = max(new, key=lambda gate: new[gate])
        share = f"{100 * new[most]:.0f} %"
        found = f"{len(new)} gates are saturated, most of all {most} ({share}), where they hardly learn"
        logger.warning(
            "step %d: %s: lower optimizer.lr, or raise callbacks.gate_monitor.threshold if it should be so",
            *(step, found if len(new) > 1 else f"{share} of {most} is saturated, where it hardly learns"),
        )

    def _is_finite(self, cell: CellTrace, step: int) -> bool:
        finite = all(bool(values.isfinite().all()) for values in (*cell.gates.values(), cell.memory, cell.hidden))
        if not finite and cell.name not in self._warned:
            self._warned.add(cell.name)
            logger.warning(
                "step %d: activations of %s are not finite: lower optimizer.lr, or gradients.max_norm",
                *(step, cell.name),
            )
        return finite


def _phrase(gate: str) -> str:
    """Words for a gate of a cell in a sentence."""
    cell, _, name = gate.rpartition(" ")
    return f"the {name} gate of {cell}"
