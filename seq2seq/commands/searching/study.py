"""A study of Optuna: trials that are asked for, and told how they went, by several workers or machines at once."""

import os
import re
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from statistics import mean
from threading import Lock
from typing import Any

import optuna
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from seq2seq.config.space import Choices, Range
from seq2seq.errors import UserError
from seq2seq.runs.leaderboard import Row
from seq2seq.runs.process_state import born

_STARTUP = 5  # trials at random, before there is something to go by
_HOPELESS = 3  # failures before anything went well
_UNKNOWN_SECONDS = 60.0  # that a trial has been under way, before one without a worker is lost
_LOCKED_SECONDS = 60.0  # that a file may be locked by others


@dataclass(frozen=True)
class TrialSettings:
    """Number of a trial, and its options; none of them is the config as it is."""

    number: int
    settings: Mapping[str, Any]
    trial: Any

    def __str__(self) -> str:
        return " ".join(f"{key}={value}" for key, value in self.settings.items()) or "the settings as they are"


class Study:
    """A study that is kept in a database, and goes on where it is there; its first trial is the config as it is.

    Raises UserError where one of the name searched another space or in the other direction.
    """

    def __init__(self, name: str, storage: str, space: Mapping[str, Choices | Range], higher: bool) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.name, self.higher, self._lock = name, higher, Lock()
        self.space = space
        direction = optuna.study.StudyDirection.MAXIMIZE if higher else optuna.study.StudyDirection.MINIMIZE
        self._storage = _opened(storage)
        with _quiet():
            self.study = optuna.create_study(
                storage=self._storage,
                study_name=name,
                load_if_exists=True,
                direction=direction,
                sampler=optuna.samplers.TPESampler(n_startup_trials=_STARTUP, constant_liar=True),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=1),
            )
        known = self.study.user_attrs.get("space")
        own = {key: repr(values) for key, values in space.items()}
        if known is not None and known != own or self.study.direction is not direction:
            self.close()
            raise UserError(f"name={name} is a study of another space or score: give another name, or remove it.")
        self.study.set_user_attr("space", own)

    def close(self) -> None:
        """Close the database."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def ask(self, trials: int) -> TrialSettings | None:
        """Settings to try; None where there are as many trials as are wanted."""
        with self._lock, _quiet():
            if self._count() >= trials:
                return None
            trial = self.study.ask()
            if self._is_beyond(trial, trials):
                return None
            plain = trial.number == 0 or trial.user_attrs.get("plain", False)
            trial.set_user_attr("worker", [socket.gethostname(), os.getpid(), born(os.getpid())])
            trial.set_user_attr("plain", plain)
            settings = {} if plain else {key: _suggested(trial, key, own) for key, own in self.space.items()}
            return TrialSettings(trial.number, settings, trial)

    def _is_beyond(self, trial: optuna.Trial, trials: int) -> bool:
        """Give a trial back that another search on the same study was quicker to make the last one of."""
        numbers = sorted(one.number for one in self._own_trials() if one.state is not TrialState.WAITING)
        if beyond := trial.number in numbers[trials:]:
            self.study.tell(trial, state=TrialState.FAIL)
        return beyond

    def should_stop(self, trial: TrialSettings, step: int, score: float) -> bool:
        """Note a dev score and tell whether half of the other trials had a better one by that step."""
        with self._lock:
            trial.trial.report(score, step)
            return bool(trial.trial.should_prune())

    def tell(self, trial: TrialSettings, scores: Sequence[float], seconds: float) -> None:
        """Note how a trial ended: the scores of its seeds, and the seconds of training."""
        with self._lock:
            trial.trial.set_user_attr("scores", list(scores))
            trial.trial.set_user_attr("seconds", seconds)
            self.study.tell(trial.trial, mean(scores))

    def tell_pruned(self, trial: TrialSettings) -> None:
        """Note that a trial was stopped early."""
        with self._lock:
            self.study.tell(trial.trial, state=TrialState.PRUNED)

    def tell_failed(self, trial: TrialSettings, reason: str) -> None:
        """Note that a trial failed. Raises UserError with the reason where others failed before, and none went well."""
        with self._lock:
            trial.trial.set_user_attr("reason", reason)
            self.study.tell(trial.trial, state=TrialState.FAIL)
            states = [one.state for one in self._own_trials()]
        if not trial.settings or (TrialState.COMPLETE not in states and states.count(TrialState.FAIL) >= _HOPELESS):
            raise UserError(reason)

    def take_back_lost(self) -> None:
        """Note trials of this machine whose worker is gone as lost, and try their settings again."""
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if _is_lost(trial):
                self.study.tell(trial.number, state=TrialState.FAIL)
                self.study.enqueue_trial(
                    trial.params, user_attrs={"plain": trial.user_attrs.get("plain", trial.number == 0)}
                )

    def done(self) -> int:
        """The number of trials that have ended, well or not."""
        return sum(trial.state.is_finished() for trial in self._own_trials())

    def rows(self) -> list[Row]:
        """A row of the leaderboard for each trial."""
        return [
            Row(
                one.number,
                one.params,
                one.user_attrs.get("scores", []),
                one.state.name.lower(),
                one.user_attrs.get("seconds"),
            )
            for one in self._own_trials()
        ]

    def importances(self) -> dict[str, float]:
        """Shares of the options in how trials differ (Watanabe et al. 2023, PED-ANOVA); none where few have ended."""
        complete = [one for one in self._own_trials() if one.state is TrialState.COMPLETE and one.params]
        if len(complete) < _STARTUP:
            return {}
        with _quiet():
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            return dict(
                optuna.importance.get_param_importances(self.study, evaluator=evaluator, params=list(self.space))
            )

    def _own_trials(self) -> list[Any]:
        """The trials but those that were lost: they failed without a reason."""
        trials = self.study.get_trials(deepcopy=False)
        return [one for one in trials if one.state is not TrialState.FAIL or "reason" in one.user_attrs]

    def _count(self) -> int:
        return sum(one.state is not TrialState.WAITING for one in self._own_trials())


def _opened(storage: str) -> optuna.storages.RDBStorage:
    """The database of a URL. Raises UserError where there is none, whatever its driver says of it."""
    try:
        waits = {"connect_args": {"timeout": _LOCKED_SECONDS}} if storage.startswith("sqlite") else {}
        return optuna.storages.RDBStorage(storage, engine_kwargs=waits)
    except Exception as error:
        shown = re.sub(r"://[^/]*@", "://...@", storage)  # without a password
        raise UserError(
            f"storage={shown} cannot be opened ({type(error).__name__}): give the SQLAlchemy URL of a database that is "
            "there, and install its driver; null keeps study.db in the folder."
        ) from None


def _suggested(trial: optuna.Trial, key: str, own: Choices | Range) -> Any:
    """A value of an option, for a trial."""
    if isinstance(own, Choices):
        return trial.suggest_categorical(key, own.values)
    if all(type(one) is int for one in (own.low, own.high, own.step or 1)):
        return trial.suggest_int(key, int(own.low), int(own.high), step=int(own.step or 1), log=own.log)
    return trial.suggest_float(key, own.low, own.high, step=own.step, log=own.log)


@contextmanager
def told_of_storage() -> Iterator[None]:
    """Raise UserError where the database of a study fails on the way: it is full, locked for long, or damaged."""
    try:
        yield
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError) as error:
        cause = next(one for one in (error.__cause__, error) if one is not None)
        reason = str(getattr(cause, "orig", cause)).splitlines()[0]
        raise UserError(
            f"storage cannot be read or written ({reason}): what has been trained is kept. Check its space and that "
            "nobody holds it, and the same command goes on; of a damaged one, give another name=, or remove it."
        ) from None


def _is_lost(trial: optuna.trial.FrozenTrial) -> bool:
    """Tell whether the worker of a trial was one of this machine, and is gone; its number may be another's by now."""
    worker = trial.user_attrs.get("worker")
    if worker is None:  # it is known a moment after the trial
        began = trial.datetime_start
        return began is not None and abs((datetime.now() - began).total_seconds()) > _UNKNOWN_SECONDS
    host, process, *birth = worker
    return host == socket.gethostname() and (not _is_alive(process) or birth[:1] not in ([], [born(process)]))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process > 0


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out that parts of Optuna are experimental, and that a measure of few trials is rough."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.filterwarnings("ignore", message="Some regimes for parameter")
        yield
