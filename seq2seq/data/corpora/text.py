"""A corpus of running text: plain files, without pairs."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Example, Splits
from seq2seq.data.text_files import lines_of_file, told_as
from seq2seq.errors import UserError

_DOCUMENTS = ("lines", "paragraphs", "file")


class TextCorpus:
    """A corpus of documents, plain or packed: what a language model learns from. Examples have a target and no source.

    A document is a line (`lines`), the lines between two empty ones (`paragraphs`) or all of a `file`. Without dev,
    documents are held out of train by the hash of their text. Raises UserError at another kind of document.
    """

    def __init__(self, *, options: FileOptions, documents: str = "lines") -> None:
        if documents not in _DOCUMENTS:
            raise UserError(f"documents must be one of {', '.join(_DOCUMENTS)}, but is {documents!r}.")
        self.options, self.documents = options, documents

    def load(self) -> Splits:
        """The splits, one example per document. Raises UserError where a single one is left to hold dev out of."""
        options = self.options.without_missing(lambda path: Path(path).exists())
        if options.dev:
            return options.load(self.read)
        # Splits are by the hash of a source, so documents stand there meanwhile.
        found = replace(options, test=None).load(lambda path: Examples.of(map(_turned, self._documents(path))))
        with told_as("test"):
            test = self.read(options.test) if options.test else []
        train, dev = (Examples.of(map(_turned, part)) for part in (found.train, found.dev))
        return replace(found, train=train, dev=dev, test=test)

    def read(self, path: str | Path) -> Examples:
        """Examples of a file's documents."""
        return Examples.of(self._documents(path))

    def _documents(self, path: str | Path) -> Iterator[Example]:
        return (Example("", (text,)) for text in _documents(lines_of_file(path), self.documents))


def _turned(example: Example) -> Example:
    return Example(example.targets[0], (example.source,))


def _documents(lines: Iterable[str], kind: str) -> Iterator[str]:
    """Texts of documents; lines of white space alone are no part of any."""
    if kind == "lines":
        yield from (line for line in lines if line.strip())
        return
    own: list[str] = []
    for line in chain(lines, [""]):
        if line.strip():
            own.append(line.strip())
        elif kind == "paragraphs" and own:
            yield "\n".join(own)
            own = []
    if own:
        yield "\n".join(own)
