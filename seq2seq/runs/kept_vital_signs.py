"""Vital signs that a run kept of its validations."""

from pathlib import Path
from typing import Any

from seq2seq.errors import UserError
from seq2seq.interpretation.training_curves import VITAL_SIGNS
from seq2seq.interpretation.vital_signs import VitalSign
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.checkpoint_paths import last_checkpoint

VitalPoint = tuple[int, list[VitalSign]]


def kept_vital_signs(run: str) -> list[VitalPoint]:
    """Steps and signs of a run's validations up to its last checkpoint, or those in a checkpoint; none if it kept none.

    Raises UserError at signs of another form.
    """
    checkpoint = last_checkpoint(Path(run)) if Path(run).is_dir() else Path(run)
    known = read_checkpoint(checkpoint).get("callbacks", {}).get(VITAL_SIGNS) or {"points": []}
    try:
        return [(int(step), [_sign(*values) for values in signs]) for step, signs in known["points"]]
    except (TypeError, ValueError, KeyError):
        raise UserError(f"{checkpoint} has vital signs that cannot be read: leave them out, or train again.") from None


def _sign(kind: Any, place: Any, value: Any, gate: Any) -> VitalSign:
    return VitalSign(str(kind), str(place), float(value), str(gate))
