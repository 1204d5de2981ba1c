"""Old pairs beside the new: some of those of the run that training starts from."""

import logging
from dataclasses import replace
from itertools import chain
from typing import Any

from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Splits
from seq2seq.data.splitting import placed
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.own_files import with_own_files
from seq2seq.runs.versions import home_of

logger = logging.getLogger(__name__)


class Rehearsal:
    """The data of a run, which `path` names and `config` describes."""

    def __init__(self, path: str, config: dict[str, Any]) -> None:
        self.path, self.config = path, config
        self._old: Splits | None = None

    @classmethod
    def of(cls, path: str) -> "Rehearsal":
        """The data of the run at a path. Raises UserError if there is none."""
        found = find_checkpoint(path, "init")
        return cls(path, with_own_files(read_checkpoint(found)["config"], home_of(found)))

    def added_to(self, splits: Splits, share: float, seed: int) -> Splits:
        """The splits, with so many of the run's own examples for each new one; none that are judged by."""
        if not share:
            return splits
        old = self.old_splits()
        if old is None:
            raise UserError(f"rehearsal={share} needs the data of init={self.path}, which cannot be read: set it to 0.")
        judged = {example.source for example in [*splits.dev, *splits.test]}
        free = Examples.of(example for example in old.train if example.source not in judged)
        wanted = round(share * len(splits.train))
        chosen = free.chosen(placed(free, seed)[1][:wanted])
        logger.info("rehearsal: %d of %d examples of %s come along", len(chosen), len(free), self.path)
        return replace(splits, train=Examples.of(chain(splits.train, chosen)))

    def old_splits(self) -> Splits | None:
        """The run's own splits; None, with a warning, where they cannot be read any more."""
        if self._old is None:
            try:
                self._old = load_splits(self.config)
            except UserError as error:
                logger.warning("the data of init=%s cannot be read: %s", self.path, error)
        return self._old
