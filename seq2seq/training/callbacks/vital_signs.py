"""The vital signs of a model while it learns."""

import logging
from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.loggers import TensorBoardLogger

from seq2seq.errors import UserError
from seq2seq.interpretation.health_rules import health_sentences, not_taken
from seq2seq.interpretation.training_curves import VITAL_SIGNS
from seq2seq.interpretation.vital_signs import VitalSign, VitalSigns
from seq2seq.training.callbacks.sample_pairs import sample_pairs

logger = logging.getLogger(__name__)


class VitalSignMonitor(lightning.Callback):
    """Logs stuck gates, dead units, rank of states, attention's entropy, and what is right without context or state.

    At every validation it looks at the first `sentences` dev pairs of at most `max_tokens`, whose targets are forced.
    What is outside of its range is said in words: in TensorBoard each time, and at the end of the run. It keeps all of
    it in checkpoints, for reports. Raises UserError outside its ranges.
    """

    def __init__(self, *, sentences: int = 16, max_tokens: int = 256) -> None:
        for name, value in (("sentences", sentences), ("max_tokens", max_tokens)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, but is {value}.")
        self.sentences, self.max_tokens = sentences, max_tokens
        self.points: list[tuple[int, list[VitalSign]]] = []  # steps, and the signs at each

    @property
    def state_key(self) -> str:
        """The name of its state in a checkpoint."""
        return VITAL_SIGNS

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        if not trainer.is_global_zero or trainer.sanity_checking:
            return
        if (pairs := sample_pairs(pl_module, self.sentences, self.max_tokens)) is None:
            return
        vital_signs = VitalSigns(pl_module.model)
        vital_signs.add(*pairs)
        signs = vital_signs.signs()
        self.points.append((trainer.global_step, signs))
        said = "\n\n".join(health_sentences(signs, not_taken(pl_module.model))) or "all is within its range"
        for board in trainer.loggers:
            board.log_metrics({sign.tag: sign.value for sign in signs}, trainer.global_step)
            if isinstance(board, TensorBoardLogger):
                board.experiment.add_text("vital_signs", said, trainer.global_step)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        known = self.points[-1][1] if self.points and trainer.is_global_zero else []
        for sentence in health_sentences(known, not_taken(pl_module.model)):
            logger.info("vital sign %s", sentence)

    def state_dict(self) -> dict[str, Any]:
        return {"points": [[step, [[sign.kind, sign.place, sign.value, sign.gate] for sign in signs]] for step, signs
                           in self.points]}  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.points = [(step, [VitalSign(*values) for values in signs]) for step, signs in state_dict["points"]]
