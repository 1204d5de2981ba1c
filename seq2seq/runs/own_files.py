"""Files of data that a run keeps in its own folder, wherever that has gone."""

from pathlib import Path
from typing import Any

MADE, GIVEN = "distilled", "pairs"  # what teachers have made for a run, and what a call from Python gave it
_SPLITS = ("train", "dev", "test")


def with_own_files(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The config of a run, whose data that were kept with it are looked for in its folder where that has them."""
    data = config.get("data")
    if not isinstance(data, dict):
        return config
    kept = {name: Path(path) for name in _SPLITS if isinstance(path := data.get(name), str)}
    own = {name: folder.absolute() / path.parent.name / path.name for name, path in kept.items() if _is_kept(path)}
    there = {name: str(path) for name, path in own.items() if path.is_file()}
    return {**config, "data": {**data, **there}} if there else config


def _is_kept(path: Path) -> bool:
    return path.is_absolute() and path.parent.name in (MADE, GIVEN) and path.suffix in (".jsonl", ".npz")
