"""Limits on the pieces of the target vocabulary that a user lets a search say."""

from collections.abc import Callable, Iterable, Sequence

from seq2seq.data.copied_pieces import pieces_from
from seq2seq.data.tokenizers import Tokenizer
from seq2seq.decoding.filters import Filter, Permitted, PermittedNext
from seq2seq.errors import UserError

NextPieces = Callable[[list[str], list[str]], Iterable[str] | None]
_END = "</s>"


class PieceLimits:
    """Pieces that must not come, the only ones that may, and a function of one's own.

    The function gets the pieces of the source and of the hypothesis so far, and returns those that may come next,
    or None for all; `</s>` among them lets the hypothesis end. A piece stands for itself at the beginning of a word and
    within one.
    """

    def __init__(
        self,
        *,
        forbidden: list[str] | None = None,
        allowed: list[str] | None = None,
        function: NextPieces | None = None,
    ) -> None:
        if forbidden and _END in forbidden:
            raise UserError(
                f"forbidden must leave {_END}, with which hypotheses end: for longer ones, raise the minimum length."
            )
        self.forbidden = forbidden or []
        self.allowed = allowed
        self.function = function

    def check(self, tokenizer: Tokenizer) -> None:
        """Check that the vocabulary has every piece that is named. Raises UserError if not."""
        for name, pieces in (("allowed", self.allowed), ("forbidden", self.forbidden)):
            _ids(tokenizer, name, pieces or [])

    def permitted(self, tokenizer: Tokenizer) -> set[int] | None:
        """The ids of the pieces that may come, whatever was said before; None for all of them."""
        if not self.forbidden and self.allowed is None:
            return None
        every = range(tokenizer.size) if self.allowed is None else _ids(tokenizer, "allowed", self.allowed)
        return set(every) - set(_ids(tokenizer, "forbidden", self.forbidden))

    def filters(self, tokenizer: Tokenizer, sources: Callable[[], list[list[str]]]) -> list[Filter]:
        """Filters of the pieces, for sentences whose pieces `sources` cuts.

        Raises UserError at a piece that the vocabulary lacks.
        """
        found: list[Filter] = []
        if (permitted := self.permitted(tokenizer)) is not None:
            found.append(Permitted(permitted, tokenizer.size, beyond=self.allowed is None))
        if self.function is not None:
            found.append(PermittedNext(_on_ids(self.function, tokenizer, sources())))
        return found


def _ids(tokenizer: Tokenizer, name: str, pieces: Iterable[str]) -> list[int]:
    ids = []
    for piece in pieces:
        if not (own := tokenizer.ids(piece)):
            raise UserError(f"{name} must name pieces of the target vocabulary, but {piece!r} is none of them.")
        ids += own
    return ids


def _on_ids(
    function: NextPieces, tokenizer: Tokenizer, sources: Sequence[list[str]]
) -> Callable[[int, list[int]], list[int] | None]:
    def allowed(sentence: int, prefix: list[int]) -> list[int] | None:
        pieces = function(sources[sentence], pieces_from(tokenizer, prefix, sources[sentence]))
        return None if pieces is None else _ids(tokenizer, "function", pieces)

    return allowed
