"""A corpus of pairs in a table: tab-separated without quoting, or CSV."""

from functools import partial
from pathlib import Path

from seq2seq.data.corpora.pair_table import Columns, pairs_in
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.example_store import Examples, group
from seq2seq.data.examples import Splits


class TSVCorpus:
    """A corpus of rows with a source and a target; those with the same source are several references of one example.

    Raises UserError at options of a table that do not exist.
    """

    def __init__(
        self,
        *,
        options: FileOptions,
        source: int | str = 1,
        target: int | str = 2,
        delimiter: str = "auto",
        header: bool | str = "auto",
    ) -> None:
        self.options = options
        self.columns = Columns(source, target, delimiter, header)

    def load(self) -> Splits:
        """The splits, one example per distinct source. Raises UserError at a line that is no pair."""
        options = self.options.without_missing(lambda path: Path(path).exists())
        return options.load(partial(read_tsv, columns=self.columns))


def read_tsv(path: str | Path, columns: Columns | None = None) -> Examples:
    """Examples of a file of pairs. Raises UserError at a line that is no pair."""
    return group(pairs_in(path, columns))
