"""Weights that are not finite are refused."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.finite import listed, not_finite


def refuse_not_finite(weights: Mapping[str, Tensor], path: Path) -> None:
    """Check the weights of a checkpoint. Raises UserError if some are not finite: nothing can be said with them."""
    if names := not_finite(weights):
        raise UserError(
            f"run={path} must hold weights that are finite, but some are not ({listed(names)}): use another checkpoint "
            "of the run, or train again with a lower learning rate."
        )
