"""The prefixes and phrases of a user's lines, as token ids."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq.data.edits.action_tokenizer import ActionTokenizer
from seq2seq.data.tokenizers import Tokenizer
from seq2seq.decoding.filters import Filter, ForcedPrefix
from seq2seq.decoding.length import LengthLimits
from seq2seq.errors import UserError
from seq2seq.translation.line import Line
from seq2seq.translation.pieces import PieceLimits


class LineConstraints:
    """Prefixes and phrases that each line asks of its own translation.

    Raises UserError, with the line's number, at what the vocabulary cannot say, `most` tokens, by the `limits`, cannot
    hold, or `pieces` bar whatever is said.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        tokenizer: Tokenizer,
        most: Int[Tensor, " lines"],
        limits: LengthLimits,
        pieces: PieceLimits,
        *,
        first_number: int = 1,
    ) -> None:
        self.prefixes: list[list[int]] = [[]] * len(lines)
        self.phrases: list[list[list[int]]] = [[]] * len(lines)
        for row, line in enumerate(lines):
            if line.prefix or line.phrases:
                where = f"line {first_number + row}"
                if isinstance(tokenizer, ActionTokenizer):
                    raise UserError(f"{where}: prefix and constraints must be left out with a transducer, which edits.")
                self.prefixes[row] = _ids(tokenizer, line.prefix, f"{where}: the prefix")
                self.phrases[row] = [_ids(tokenizer, phrase, f"{where}: the constraint") for phrase in line.phrases]
                _check_length(self.prefixes[row], self.phrases[row], int(most[row]), limits, where)
            if line.phrases and (permitted := pieces.permitted(tokenizer)) is not None:
                for phrase, ids in zip(line.phrases, self.phrases[row], strict=True):
                    _check_permitted(phrase, ids, self.prefixes[row], permitted, where)

    def filters(self, rows: Int[Tensor, " rows"], device: torch.device | str) -> list[Filter]:
        """Filters that hold the given lines to their prefixes; none if no line has one."""
        prefixes = [self.prefixes[row] for row in rows.tolist()]
        return [ForcedPrefix(prefixes, device)] if any(prefixes) else []

    def phrases_of(self, rows: Int[Tensor, " rows"]) -> list[list[list[int]]] | None:
        """The phrases of the given lines, None if none of them has any."""
        phrases = [self.phrases[row] for row in rows.tolist()]
        return phrases if any(phrases) else None


def _ids(tokenizer: Tokenizer, text: str, what: str) -> list[int]:
    if unknown := tokenizer.unknown(text):
        shown = ", ".join(map(repr, dict.fromkeys(unknown)))
        raise UserError(f"{what} {text!r} must be in the target vocabulary, but it lacks {shown}.")
    return tokenizer.encode([text])[0]


def _check_length(prefix: list[int], phrases: list[list[int]], most: int, limits: LengthLimits, where: str) -> None:
    needed = 1 + max(len(prefix), sum(map(len, phrases)))
    if needed > most:
        what = "prefix and constraints" if prefix and phrases else "the prefix" if prefix else "the constraints"
        raise UserError(
            f"{where}: {what} must fit into the maximum length, {most} tokens with EOS here, but {needed} are needed: "
            f"raise {limits.binding(most)} of the length limits."
        )


def _check_permitted(phrase: str, ids: list[int], prefix: list[int], permitted: set[int], where: str) -> None:
    """Check that a phrase can be said, where what a prefix says counts, too, if it is not permitted elsewhere."""
    for start in range(len(prefix) + 1):
        said = prefix[start : start + len(ids)]
        if ids[: len(said)] == said and permitted.issuperset(ids[len(said) :]):
            return
    raise UserError(
        f"{where}: the constraint {phrase!r} must be of pieces that may come, but forbidden or allowed bars some of "
        "them: leave it out, or permit its pieces."
    )
