"""The time that each part of training takes."""

import time
from typing import Any

import pytorch_lightning as lightning

_OF_STEPS = ("data", "forward", "backward and optimizer")


class Cost(lightning.Callback):
    """Seconds of data, forward, backward and optimizer, validation and saving, over interruptions too.

    The clock is read between them, and no device is waited for: on a GPU the parts of a step are one, `steps`.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._part: str | None = None
        self._since = 0.0

    def report(self, device_type: str) -> dict[str, float]:
        """The seconds by part, as far as they can be told apart on a kind of device."""
        found = {name: self.seconds.get(name, 0.0) for name in (*_OF_STEPS, "validation", "saving")}
        if device_type != "cpu":
            found = {"steps": sum(found.pop(name) for name in _OF_STEPS), **found}
        return {name: round(seconds, 3) for name, seconds in found.items()}

    def begin(self, part: str | None) -> None:
        """Count the time from here on as that of a part, until another begins."""
        now = time.monotonic()
        if self._part is not None:
            self.seconds[self._part] = self.seconds.get(self._part, 0.0) + now - self._since
        self._part, self._since = part, now

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.begin("data")

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.begin("forward")

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Any) -> None:
        self.begin("backward and optimizer")

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.begin("data")

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        self.begin("validation")

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self.begin("saving")  # checkpoints are written by the last callbacks of a validation

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self.begin(None)

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": dict(self.seconds)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds = dict(state_dict["seconds"])
