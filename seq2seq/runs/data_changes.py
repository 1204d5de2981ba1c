"""Data that are not what a run was trained on: refused where it goes on, or accepted, which its folder records."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq.config.stored import add_to_record, recorded
from seq2seq.data.examples import Splits
from seq2seq.data.splitting import Fingerprint
from seq2seq.errors import UserError

logger = logging.getLogger(__name__)
_SPLITS = ("train", "dev", "test")


def acceptance(config: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The config without `data.changed`, which is of one start alone, and whether that says to accept other data.

    Raises UserError if it says anything else.
    """
    data = config["data"]
    if "changed" not in data:
        return config, False
    if data["changed"] != "accept":
        raise UserError(f"data.changed must be accept, or left out, but is {data['changed']!r}.")
    return {**config, "data": {name: value for name, value in data.items() if name != "changed"}}, True


@dataclass(frozen=True)
class DataChanges:
    """Fingerprints of splits as they are `now`, and how they differ from those of a checkpoint, in words."""

    now: Mapping[str, Fingerprint]
    differing: Mapping[str, str]

    @classmethod
    def of(cls, known: Mapping[str, Fingerprint], splits: Splits) -> "DataChanges":
        """The changes since a checkpoint; none where that does not know its data."""
        now = {name: Fingerprint.of(getattr(splits, name)) for name in _SPLITS}
        found = {name: known[name].difference(now[name]) for name in _SPLITS if known}
        return cls(now, {name: difference for name, difference in found.items() if difference})

    def refuse(self, folder: Path) -> None:
        """Raise UserError where a split has changed, and is not what the run's folder has accepted last, either."""
        accepted = _accepted(folder)
        left = [name for name in self.differing if name not in accepted or accepted[name].difference(self.now[name])]
        if left:
            told = "; ".join(f"{name} is not ({self.differing[name]})" for name in left)
            raise UserError(
                f"data must be what this run was trained on, but {told}: bring them back, or add data.changed=accept "
                "to go on with what there is."
            )

    def accept(self, folder: Path) -> None:
        """Write down in a run's folder that it goes on with these data, so that it does so again; and warn of them."""
        if not self.differing:
            logger.info("data.changed=accept: the data are what this run was trained on")
            return
        for name, difference in self.differing.items():
            logger.warning("%s is not what it was when this run was trained: %s; accepted", name, difference)
        add_to_record(folder, {"changed": {}, "data": {name: vars(found) for name, found in self.now.items()}})


def _accepted(folder: Path) -> dict[str, Fingerprint]:
    """The fingerprints of the data that were accepted last; none where none were."""
    last: Any = next((entry["data"] for entry in reversed(recorded(folder)) if "data" in entry), {})
    try:
        return {name: Fingerprint(**known) for name, known in last.items()}
    except (AttributeError, TypeError):
        raise UserError(f"{folder}/changes.yaml must hold fingerprints of data, but does not: remove it.") from None
