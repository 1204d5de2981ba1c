"""An end of training where scores do not get better any more."""

from typing import Any

import pytorch_lightning as lightning
import torch

from seq2seq.errors import UserError, check_finite


class EarlyStopping(lightning.callbacks.EarlyStopping):
    """Ends training when `patience` validations in a row brought no score that is better by over `min_delta`.

    At 0, as at 1, the first of them ends it. Raises UserError below 0.
    """

    def __init__(
        self,
        *,
        monitor: str,
        mode: str = "min",
        patience: int = 10,
        min_delta: float = 0.0,
        stopping_threshold: float | None = None,
        divergence_threshold: float | None = None,
    ) -> None:
        check_finite(
            min_delta=min_delta, stopping_threshold=stopping_threshold, divergence_threshold=divergence_threshold
        )
        if patience < 0:
            raise UserError(f"patience must be at least 0, but is {patience}.")
        super().__init__(
            monitor,
            mode=mode,
            patience=patience,
            min_delta=min_delta,
            stopping_threshold=stopping_threshold,
            divergence_threshold=divergence_threshold,
        )

    def begin_anew(self) -> None:
        """Forget the best score and the validations without a better one."""
        self.best_score = torch.tensor(torch.inf if self.mode == "min" else -torch.inf)
        self.wait_count = 0

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict | {"patience": self.patience})  # the config's, which may have changed
