"""Repetition of a run: the same config again, and whether the same weights came of it."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from seq2seq.config.job import given_overrides
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint, recorded_splits
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.environment import differences
from seq2seq.runs.record import read_record

_OWN = ("from", "run_dir", "trust", "hydra")  # what may be said of a repetition


def config_to_repeat(config: DictConfig) -> dict[str, Any]:
    """The plain config of the run that is to be repeated. Raises UserError where anything else of it is asked for."""
    for text in given_overrides():
        if text.lstrip("+").partition("=")[0].partition(".")[0] not in _OWN:
            raise UserError(
                f"{text} cannot be given beside from={config['from']}, which repeats a run as it was: leave it out, or "
                "give its config by overrides instead."
            )
    return dict(_last(config["from"])["config"])


def verdict(original: str, folder: Path) -> str:
    """The line that says whether a repetition has the weights of the original, bit for bit, and else what differs."""
    then, now = _last(original), _last(str(folder))
    if then["global_step"] != now["global_step"]:
        return f"weights: of step {now['global_step']}, not {then['global_step']} as in {original}, and so not compared"
    worst = max(
        (
            float((weight.double() - now["weights"][name].double()).abs().max())
            for name, weight in then["weights"].items()
        ),
        default=0.0,
    )
    if worst == 0:
        return f"weights: equal to those of {original}, bit for bit"
    reasons = [*_of_data(then, now), *differences(_environment(original), _environment(str(folder)))]
    return f"weights: up to {worst:.1e} from those of {original}; {'; '.join(reasons) or 'nothing known differs'}"


def _last(path: str) -> dict[str, Any]:
    """The last checkpoint of a run folder, or the checkpoint itself."""
    last = Path(path) / "checkpoints" / "last.ckpt"
    return read_checkpoint(last if last.is_file() else find_checkpoint(path, "from"))


def _of_data(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    before, after = recorded_splits(then), recorded_splits(now)
    found = {name: before[name].difference(after[name]) for name in before.keys() & after.keys()}
    return [f"{name}: {difference}" for name, difference in sorted(found.items()) if difference]


def _environment(path: str) -> dict[str, Any]:
    file = Path(path) / "environment.json"
    return read_record(file) if file.is_file() else {}
