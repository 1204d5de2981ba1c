"""Options of what may become a piece."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq.data.normalization import RULES
from seq2seq.data.text import TextForm
from seq2seq.errors import UserError

KINDS = ("unigram", "bpe", "char", "word")


@dataclass(frozen=True)
class PieceOptions:
    """Options of what may become a piece.

    `normalization` is nfd or one of SentencePiece's rules. Identity changes nothing, so that what was encoded comes
    back; so it does with nfd, which takes composed characters apart (`각` into three letters, `é` into two characters):
    decoded text is composed again by its `TextForm`.
    `symbols`, and whatever the regular expression `protect` finds in the training data, are pieces that are never cut.
    Raises UserError at another rule, if `protect` is no regular expression, a symbol is empty or less than 98 % of what
    is read covered.
    """

    character_coverage: float = 1.0
    normalization: str = "identity"
    symbols: Sequence[str] = ()
    protect: str | None = None

    def __post_init__(self) -> None:
        self.pattern()
        if self.normalization not in RULES:
            raise UserError(f"normalization must be one of {', '.join(RULES)}, but is {self.normalization!r}.")
        if not 0.98 <= self.character_coverage <= 1:
            raise UserError(f"character_coverage must be from 0.98 to 1, but is {self.character_coverage}.")
        if any(not symbol.strip() for symbol in self.symbols):
            raise UserError(f"symbols must each have a character that is no space, but are {list(self.symbols)}.")

    def check_form(self, form: TextForm) -> None:
        """Check that what is taken apart is composed again. Raises UserError at nfd with a form that leaves it so."""
        if self.normalization == "nfd" and form.form == "none":
            raise UserError(
                "normalization must not be nfd where the form of text is none, which does not compose again what nfd "
                "takes apart: set the form to nfc, or normalization to identity."
            )

    def pattern(self) -> re.Pattern[str] | None:
        """The compiled expression of what is protected, None without one."""
        try:
            return None if self.protect is None else re.compile(self.protect)
        except re.error as error:
            raise UserError(f"protect must be a regular expression, but {self.protect!r} is none: {error}.") from None


def check_kind(name: str, kind: str, size: int | None) -> None:
    """Raise UserError, naming the side, at a kind of pieces that there is not, or a size that it cannot have."""
    if kind not in KINDS:
        raise UserError(f"{name} must be one of {', '.join(KINDS)}, but is {kind!r}.")
    if size is None and kind in ("unigram", "bpe"):
        raise UserError(f"{name}_size must be a number for kind {kind}, but is null.")
    if size is not None and size < 1:
        raise UserError(f"{name}_size must be at least 1, or null for all there is, but is {size}.")
