"""Tab-separated pairs: one a line, no quoting."""

from pathlib import Path

from seq2seq.data.examples import Example, Splits, group, hold_out
from seq2seq.data.text_files import read_lines
from seq2seq.errors import UserError


class TSVCorpus:
    """Files of `source<TAB>target` lines; lines with the same source are several references of one example.

    Without a dev file, `dev_size` sources are held out of train. `test` may be left out, and with
    `require_test=False` it may also be missing on disk.
    """

    def __init__(
        self,
        *,
        train: str,
        dev: str | None = None,
        test: str | None = None,
        dev_size: int = 1000,
        require_test: bool = True,
        seed: int = 1,
    ) -> None:
        self.train, self.dev, self.test = train, dev, test
        self.dev_size = dev_size
        self.require_test = require_test
        self.seed = seed

    def load(self) -> Splits:
        train = read_tsv(self.train)
        wanted = self.test is not None and (self.require_test or Path(self.test).exists())
        test = read_tsv(self.test) if wanted and self.test else []
        if self.dev:
            return Splits(train, read_tsv(self.dev), test)
        held_out = hold_out(train, self.dev_size, self.seed)
        return Splits(held_out.train, held_out.dev, test)


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
