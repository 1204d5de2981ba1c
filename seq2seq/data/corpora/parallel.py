"""Parallel text: two files, line by line."""

from pathlib import Path

from seq2seq.data.examples import Example, Splits, hold_out
from seq2seq.data.text_files import read_lines
from seq2seq.errors import UserError


class ParallelCorpus:
    """Pairs of files, plain or .gz, in which line i of one translates line i of the other.

    Every split is a path with `{side}` in it, filled in with `source` and `target` (a language code, say).
    Without dev, `dev_size` lines are held out of train. `require_test=False` lets test be missing on disk.
    """

    def __init__(
        self,
        *,
        source: str,
        target: str,
        train: str,
        dev: str | None = None,
        test: str | None = None,
        dev_size: int = 1000,
        require_test: bool = True,
        seed: int = 1,
    ) -> None:
        self.source, self.target = source, target
        self.train, self.dev, self.test = train, dev, test
        self.dev_size = dev_size
        self.require_test = require_test
        self.seed = seed

    def load(self) -> Splits:
        train = self._read(self.train)
        wanted = self.test is not None and (self.require_test or Path(self._path(self.test, self.source)).exists())
        test = self._read(self.test) if wanted and self.test else []
        if self.dev:
            return Splits(train, self._read(self.dev), test)
        held_out = hold_out(train, self.dev_size, self.seed)
        return Splits(held_out.train, held_out.dev, test)

    def _path(self, pattern: str, side: str) -> str:
        if "{side}" not in pattern:
            raise UserError(f"The path of parallel text must contain {{side}}, but is {pattern!r}.")
        return pattern.replace("{side}", side)

    def _read(self, pattern: str) -> list[Example]:
        paths = self._path(pattern, self.source), self._path(pattern, self.target)
        source, target = (read_lines(path) for path in paths)
        if len(source) != len(target):
            raise UserError(
                f"Parallel files must have equally many lines, but {paths[0]} has {len(source)} and "
                f"{paths[1]} has {len(target)}."
            )
        return [Example(*pair) for pair in zip(source, ((line,) for line in target), strict=True)]
