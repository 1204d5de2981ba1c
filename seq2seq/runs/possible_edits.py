"""Mistakes in what is asked of a transducer, known before there are data."""

from typing import Any

from seq2seq.errors import UserError
from seq2seq.training.objectives.objective import Objective


def check_edits(config: dict[str, Any], objective: Objective) -> None:
    """Refuse, by name, what does not go together with a model that writes by edits of its source."""
    if not objective.fits_edits:
        raise UserError(
            f"objective must be cross_entropy or imitation with model=transducer, but is {type(objective).__name__}."
        )
    if config.get("scheduled_sampling") is not None:
        raise UserError(
            "scheduled_sampling must be none with model=transducer: choose objective=imitation, which knows what is "
            "right after its own actions."
        )
    if config.get("segmentation") is not None:
        raise UserError("segmentation must be none with model=transducer, whose edits are of one way to cut a text.")
    for name in ("coverage_loss", "entropy_floor"):
        if value := config["objective"].get(name):
            raise UserError(
                f"objective.{name} must be 0 with model=transducer, whose pointer moves by its actions and learns "
                f"nothing from it, but is {value}."
            )
    if config["data"].get("alignments"):
        raise UserError("data.alignments must be null with model=transducer, which aligns its pairs itself.")
