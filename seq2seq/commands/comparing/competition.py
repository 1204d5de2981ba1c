"""Choices that are trained on the same data, and what is made equal of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq.commands.comparing.contender import Contender, as_given, count_parameters, fit_sizes
from seq2seq.commands.comparing.equal_seconds import refuse_without_steps, with_equal_seconds
from seq2seq.commands.training.mistakes import refuse_mistakes
from seq2seq.config.composition import composed
from seq2seq.errors import UserError
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.model_kinds import AUTO
from seq2seq.runs.run import train_tokenizers
from seq2seq.runs.settling import settle, settled_like

_SPEEDS = "speeds.json"


@dataclass(frozen=True)
class Equality:
    """Equality of choices: parameters, seconds or neither, and the timed steps that seconds are reckoned from."""

    parameters: bool
    seconds: bool
    rounds: int


@dataclass(frozen=True)
class Entries:
    """Contenders that are ready to be trained, their budgets, and the score that they are judged by."""

    contenders: Sequence[Contender]
    budgets: Sequence[Mapping[str, Any]]
    metric: str
    higher: bool

    def left(self, number: int, seeds: int) -> str:
        """Words for what is to come from a contender on."""
        steps, minutes = self.contenders[number].steps or self.budgets[number]["max_steps"], 0.0
        for budget in self.budgets[number:]:
            if budget["max_minutes"] is None:
                return f"{steps} steps each"
            minutes += budget["max_minutes"] * seeds
        return f"{minutes:.0f} minutes of training left"


@dataclass(frozen=True)
class Competition:
    """Choices by name, each its overrides beside those of all, and the folder of their runs.

    `along` is the value of what was varied beside them, if anything was.
    """

    shared: Sequence[str]
    choices: Mapping[str, Sequence[str]]
    folder: Path
    equality: Equality
    along: Any = None

    def refuse_mistakes(self) -> None:
        """Raise UserError at what is wrong with one of the configs, before any is trained."""
        configured = composed("train", list(self.shared))
        _refuse_pipes(configured["data"])
        for plain in (configured, *self._plains().values()):
            if self.equality.seconds:
                refuse_without_steps(plain["budget"])
            refuse_mistakes(plain, self.folder)

    def enter(self) -> Entries:
        """The choices with sizes and steps, after what follows from the data has been settled."""
        configured = composed("train", list(self.shared))
        configured, tokenizers = settle(configured, splits := load_splits(configured), train_tokenizers)
        own = self._plains()
        plains = {name: settled_like(plain, splits, tokenizers) for name, plain in own.items()}
        wanted = count_parameters(configured, tokenizers)
        contenders = []
        for name, plain in plains.items():
            overrides = [*self.shared, *self.choices[name]]
            if self.equality.parameters:
                overrides += _held_feature_size(own[name], plain)
                contenders.append(fit_sizes(name, overrides, plain, tokenizers, wanted))
            else:
                contenders.append(as_given(name, overrides, plain, tokenizers))
        if self.equality.seconds:
            data, rounds, file = (splits, tokenizers), self.equality.rounds, self.folder / _SPEEDS
            contenders = with_equal_seconds(contenders, plains, configured, data, rounds=rounds, file=file)
        monitor, budgets = configured["monitor"], [plain["budget"] for plain in plains.values()]
        return Entries(contenders, budgets, monitor["metric"], monitor["mode"] == "max")

    def _plains(self) -> dict[str, dict[str, Any]]:
        return {name: composed("train", [*self.shared, *own]) for name, own in self.choices.items()}


def _held_feature_size(plain: dict[str, Any], settled: dict[str, Any]) -> list[str]:
    """The override that holds the width of features where it would follow from the hidden sizes that are fitted."""
    follows = plain["model"]["decoder"].get("feature_size") == AUTO
    return [f"model.decoder.feature_size={settled['model']['decoder']['feature_size']}"] if follows else []


def _refuse_pipes(data: dict[str, Any]) -> None:
    """Raise UserError at a split that can be read only once, as every run reads it anew."""
    for name in ("train", "dev", "test"):
        if isinstance(path := data.get(name), str) and Path(path).is_fifo():
            raise UserError(
                f"data.{name} must be a file, as every run reads it, but {path} is a pipe: write it to one."
            )
