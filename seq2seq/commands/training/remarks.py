"""The cost of a run and what looks wrong in it, as callbacks have gathered them by its end."""

from typing import Any

from seq2seq.training.callbacks.cost import Cost
from seq2seq.training.callbacks.history import History
from seq2seq.training.verdict import Goal, verdict
from seq2seq.translation.reachability import Unreachable


def cost_of(trainer: Any) -> dict[str, Any]:
    """The steps of a run and its seconds by part; nothing where `callbacks.cost` is off."""
    for callback in trainer.callbacks:
        if isinstance(callback, Cost):
            kind = trainer.strategy.root_device.type
            return {"cost": {"steps": trainer.global_step, "seconds": callback.report(kind)}}
    return {}


def remarks_of(trainer: Any, config: dict[str, Any], unreachable: Unreachable) -> list[str]:
    """Sentences on what looks wrong with a run; none where `callbacks.history` is off."""
    limit = "budget.max_minutes" if config["budget"].get("max_minutes") else "budget.max_steps"
    goal = Goal(config["monitor"]["metric"], config["monitor"]["mode"], limit)
    share = unreachable.count / max(unreachable.references, 1)
    for callback in trainer.callbacks:
        if isinstance(callback, History):
            return verdict(callback.validations, goal, out_of_reach=share)
    return []
