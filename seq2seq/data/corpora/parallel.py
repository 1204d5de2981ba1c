"""A corpus of parallel text: two files, line by line."""

from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from seq2seq.data.alignments import UNITS, Alignment
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.example_store import Examples, ExampleWriter
from seq2seq.data.examples import Example, Splits
from seq2seq.data.text_files import lines_of_file, read_lines, told_as
from seq2seq.errors import UserError


class ParallelCorpus:
    """A corpus of file pairs, plain or packed, in which line i of one translates line i of the other.

    Every split is a path with `{side}` in it, filled in with `source` and `target` (a language code, say). A file of
    `alignments` has a line such as `0-0 1-2` for every line of train: links from the source's units to the target's,
    counted from 0. Units of a side, `aligned_source` and `aligned_target`, are words or characters.
    """

    def __init__(
        self,
        *,
        source: str,
        target: str,
        options: FileOptions,
        alignments: str | None = None,
        aligned_source: str = "words",
        aligned_target: str = "words",
    ) -> None:
        for name, unit in (("aligned_source", aligned_source), ("aligned_target", aligned_target)):
            if unit not in UNITS:
                raise UserError(f"{name} must be one of {', '.join(UNITS)}, but is {unit!r}.")
        self.source, self.target = source, target
        self.options = options
        self.alignments, self.units = alignments, (aligned_source, aligned_target)

    def load(self) -> Splits:
        """The splits, one example per line. Raises UserError where files do not have equally many lines."""
        options = self.options.without_missing(lambda pattern: Path(self._path(pattern, self.source)).exists())
        return options.load(self._read_aligned)

    def _read_aligned(self, pattern: str) -> Examples:
        examples = self._read(pattern)
        if self.alignments is None or pattern != self.options.train:
            return examples
        with told_as("alignments"):
            lines = read_lines(self.alignments)
        if len(lines) != len(examples):
            raise UserError(
                f"alignments must have a line for each of the {len(examples)} pairs of train, but {self.alignments} "
                f"has {len(lines)}."
            )
        rows = enumerate(zip(examples, lines, strict=True), 1)
        return Examples.of(self._aligned(example, line, number) for number, (example, line) in rows)

    def _aligned(self, example: Example, line: str, number: int) -> Example:
        try:
            found = Alignment.read(line, self.units, example.source, example.targets[0])
        except UserError as error:
            raise UserError(f"{self.alignments}, line {number}: {error}") from None
        return replace(example, alignments=(found,))

    def _path(self, pattern: str, side: str) -> str:
        if "{side}" not in pattern:
            raise UserError(
                f"The path of parallel text must contain {{side}}, but is {pattern!r}: write it where "
                f"{self.source} and {self.target} are in the names of the two files, as in 'train.{{side}}'."
            )
        return pattern.replace("{side}", side)

    def _read(self, pattern: str) -> Examples:
        paths = self._path(pattern, self.source), self._path(pattern, self.target)
        counts, writer = [0, 0], ExampleWriter()
        for source, target in zip_longest(*map(lines_of_file, paths)):
            for side, line in enumerate((source, target)):
                counts[side] += line is not None
            if counts[0] == counts[1]:
                writer.add(Example(source, (target,)))
        if counts[0] != counts[1]:
            raise UserError(
                f"Parallel files must have equally many lines, but {paths[0]} has {counts[0]} and "
                f"{paths[1]} has {counts[1]}."
            )
        return writer.examples()
