"""A corpus of parallel text: two files, line by line."""

from pathlib import Path

from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.examples import Example, Splits
from seq2seq.data.text_files import read_lines
from seq2seq.errors import UserError


class ParallelCorpus:
    """A corpus of file pairs, plain or .gz, in which line i of one translates line i of the other.

    Every split is a path with `{side}` in it, filled in with `source` and `target` (a language code, say).
    """

    def __init__(self, *, source: str, target: str, options: FileOptions) -> None:
        self.source, self.target = source, target
        self.options = options

    def load(self) -> Splits:
        """The splits, one example per line. Raises UserError where two files do not have equally many lines."""
        options = self.options.without_missing(lambda pattern: Path(self._path(pattern, self.source)).exists())
        return options.load(self._read)

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
