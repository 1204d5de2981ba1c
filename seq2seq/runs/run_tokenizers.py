"""Tokenizers that another run has learnt."""

from collections.abc import Sequence

from seq2seq.data.examples import Example
from seq2seq.data.frame_reader import FrameReader
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
        """Return the tokenizers of the run, taking text in a form. Raises UserError as `kept` does."""
        source, target = self.kept()
        return Tokenizers.from_bytes(source.serialized, target.serialized, form)

    def kept(self) -> tuple[Tokenizer, Tokenizer]:
        """The run's own, for source and target. Raises UserError if there is no such run, or if they read frames."""
        found = tokenizers_of(read_checkpoint(find_checkpoint(self.run)))
        target: Tokenizer = found.source if self.side == "source" else found.written
        source = found.source if self.side == "both" else target
        if isinstance(source, FrameReader) or isinstance(target, FrameReader):
            raise UserError(
                f"side must be one of text, but is {self.side}, and run={self.run} has frames there: give another "
                "side, or another run."
            )
        return source, target
