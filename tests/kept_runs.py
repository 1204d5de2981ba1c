"""What runs have kept, to be compared."""

from pathlib import Path
from typing import Any

import torch


def last(folder: Path) -> dict[str, Any]:
    """All of a run's last checkpoint."""
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Tell whether checkpoints have the same weights and averages, to the bit."""
    return all(
        torch.equal(left[part][name], right[part][name]) for part in ("state_dict", "weights") for name in left[part]
    )
