"""The one form that text is brought into, wherever it comes from."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Example, Splits
from seq2seq.data.series import Series
from seq2seq.errors import UserError

_FORMS: dict[str, Callable[[str], str]] = {
    "nfc": lambda text: unicodedata.normalize("NFC", text),
    "nfkc": lambda text: unicodedata.normalize("NFKC", text),
    "none": lambda text: text,
}
BYTE_ORDER_MARK = "\ufeff"
_HALF = re.compile("[\ud800-\udfff]")  # of a pair of UTF-16, which is no character by itself
_ENDS = re.compile(rf"^[\s{BYTE_ORDER_MARK}]+|[\s{BYTE_ORDER_MARK}]+\Z")


@dataclass(frozen=True)
class TextForm:
    """A form of text: Unicode's NFC, NFKC or none (UAX 15), without white space and byte order marks at the ends.

    NFC makes one of `e` + accent and `é`, and loses nothing. NFKC also turns `ʰ ½ ﬁ` into `h 1⁄2 fi`, which no output
    can undo. Sources, targets, references and what is translated all take it, so that equal texts compare as equal.
    Raises UserError at another name.
    """

    form: str = "nfc"

    def __post_init__(self) -> None:
        if self.form not in _FORMS:
            raise UserError(f"form must be one of {', '.join(_FORMS)}, but is {self.form!r}.")

    def __call__(self, text: str) -> str:
        """The text in this form; a text in it stays as it is, and so does a series."""
        return text if isinstance(text, Series) else _ENDS.sub("", _FORMS[self.form](text))


@dataclass(frozen=True)
class Change:
    """Number of texts that a form has changed, and the first of them."""

    texts: int
    first: str = ""

    def __add__(self, other: "Change") -> "Change":
        return Change(self.texts + other.texts, self.first or other.first)

    def __str__(self) -> str:
        return f"{self.texts} text{'s' * (self.texts > 1)}, such as {self.first!r}"


def changed(form: TextForm, texts: Sequence[str]) -> Change:
    """Count what a form changes among texts."""
    other = [text for text in texts if form(text) != text]
    return Change(len(other), other[0][:60] if other else "")


def formed(form: TextForm, examples: Sequence[Example]) -> Examples:
    """The examples with every text in a form; targets of one example that have become equal are one."""
    return _formed(form, examples)[0]


def _formed(form: TextForm, examples: Sequence[Example]) -> tuple[Examples, Change]:
    """The examples in a form, and what it changed; most are in it already, and then nothing is copied."""
    texts, first, repeated = 0, "", False
    for example in examples:
        for text in (example.source, *example.targets):
            if form(text) != text:
                texts, first = texts + 1, first or text[:60]
        repeated = repeated or len(set(example.targets)) < len(example.targets)
    change = Change(texts, first)
    return Examples.of(_each_formed(form, examples) if texts or repeated else examples), change


def _each_formed(form: TextForm, examples: Sequence[Example]) -> Iterator[Example]:
    for example in examples:
        places: dict[str, int] = {}
        for place, target in enumerate(example.targets):
            places.setdefault(form(target), place)
        alignments = tuple(example.alignments[place] for place in places.values()) if example.alignments else ()
        yield Example(form(example.source), tuple(places), alignments, example.corpus)


def formed_splits(form: TextForm, splits: Splits) -> tuple[Splits, Change]:
    """The splits with every text in a form, and what it changed in them."""
    parts = [_formed(form, part) for part in (splits.train, splits.dev, splits.test)]
    (train, of_train), (dev, of_dev), (test, of_test) = parts
    return replace(splits, train=train, dev=dev, test=test), of_train + of_dev + of_test


def check_whole(text: str, where: str) -> None:
    """Check that a text can be written as UTF-8. Raises UserError, by where it is from, at half a surrogate pair."""
    if half := _HALF.search(text):
        raise UserError(
            f"{where} must hold whole characters, but has half a surrogate pair, {half[0]!r}, at {half.start()}: take "
            "it out, or read the text as UTF-8 anew."
        )


def decoded(line: bytes) -> str:
    """The text of a line of UTF-8, without a byte order mark before it and its end; other bytes are replaced."""
    return line.decode("utf-8", errors="replace").removeprefix(BYTE_ORDER_MARK).rstrip("\r\n")


def encodable(text: str) -> str:
    """The text with half surrogate pairs, which JSON can hold but UTF-8 cannot, replaced as other bad bytes are."""
    return text.encode("utf-16", errors="surrogatepass").decode("utf-16", errors="replace")
