"""Tokenizers that another run has learnt."""

from collections.abc import Sequence

from seq2seq.data.examples import Example
from seq2seq.data.text import TextForm
from seq2seq.data.tokenizers import Tokenizer, Tokenizers
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint_paths import find_checkpoint, read_checkpoint
from seq2seq.runs.run import tokenizers_of

_SIDES = ("both", "source", "target")


class RunTokenizers:
    """The tokenizers of another run instead of new ones: its `side` for both sides, or `both` as they are.

    A language model that is to help a run needs the target's. Raises UserError at another side.
    """

    def __init__(self, *, run: str, side: str = "target") -> None:
        if side not in _SIDES:
            raise UserError(f"side must be one of {', '.join(_SIDES)}, but is {side!r}.")
        self.run, self.side = run, side

    def train(self, examples: Sequence[Example], form: TextForm | None = None) -> Tokenizers:
        """Return the tokenizers of the run, taking text in a form. Raises UserError if there is no such run."""
        found = tokenizers_of(read_checkpoint(find_checkpoint(self.run)))
        kept: Tokenizer = found.source if self.side == "source" else found.written
        other = found.source if self.side == "both" else kept
        return Tokenizers.from_bytes(other.serialized, kept.serialized, form)
