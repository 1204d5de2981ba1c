"""A corpus of pairs in a table: tab-separated without quoting, or CSV."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from seq2seq.data.corpora.columns import Column, Columns
from seq2seq.data.corpora.pair_table import pairs_in
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.example_store import Examples, of_rows
from seq2seq.data.examples import Splits


class TSVCorpus:
    """A corpus of rows with a source and a target; those with the same source are several references of one example.

    If they are wanted `in_order`, each is an example of its own, and follows the one before it as in the file. Raises
    UserError at options of a table that do not exist.
    """

    def __init__(
        self,
        *,
        options: FileOptions,
        source: Column | Sequence[Column] = "auto",
        target: Column | Sequence[Column] = "auto",
        delimiter: str = "auto",
        header: bool | str = "auto",
        in_order: bool = False,
    ) -> None:
        self.options, self.in_order = options, in_order
        self.columns = Columns(source, target, delimiter, header)

    def load(self) -> Splits:
        """The splits: an example per distinct source, or per row in order. Raises UserError at what is no pair."""
        options = self.options.without_missing(lambda path: Path(path).exists())
        return options.load(partial(read_tsv, columns=self.columns, in_order=self.in_order))


def read_tsv(
    path: str | Path, columns: Columns | None = None, *, in_order: bool = False, perhaps: bool = False
) -> Examples:
    """Examples of a file of pairs, one per source or, in order, per row.

    Columns of another table, `perhaps` of this one, count where it has got them. Raises UserError at a line that is no
    pair.
    """
    return of_rows(pairs_in(path, columns, perhaps=perhaps), str(path), in_order=in_order)
