"""A corpus of tab-separated pairs: one a line, no quoting."""

from pathlib import Path

from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.examples import Example, Splits, group
from seq2seq.data.text_files import read_lines
from seq2seq.errors import UserError


class TSVCorpus:
    """A corpus of `source<TAB>target` lines; those with the same source are several references of one example."""

    def __init__(self, *, options: FileOptions) -> None:
        self.options = options

    def load(self) -> Splits:
        """The splits, one example per distinct source. Raises UserError at a line that is no pair."""
        return self.options.without_missing(lambda path: Path(path).exists()).load(read_tsv)


def read_tsv(path: str | Path) -> list[Example]:
    """Examples of a file of pairs. Raises UserError at a line that does not have exactly one tab."""
    pairs = []
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split("\t")
        if len(fields) != 2:
            raise UserError(
                f"{path}, line {number} must be `source<TAB>target` with exactly one tab, but has {len(fields) - 1}: "
                f"{line[:60]!r}."
            )
        pairs.append((fields[0], fields[1]))
    return group(pairs)
