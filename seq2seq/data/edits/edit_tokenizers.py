"""Tokenizers of a transducer: of both sides' texts, with the edits between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.data.edits.action_tokenizer import ActionTokenizer
from seq2seq.data.edits.edit_costs import EditCosts
from seq2seq.data.edits.learning import learn_edits
from seq2seq.data.examples import Example
from seq2seq.data.frame_reader import FrameReader, FrameWriter
from seq2seq.data.text import TextForm
from seq2seq.data.tokenizers import Tokenizer, Tokenizers
from seq2seq.errors import UserError
from seq2seq.whole_file import write_whole

_FILE = "edits.npy"


@dataclass(frozen=True)
class EditTokenizers(Tokenizers):
    """Tokenizers whose target side are actions: the cheapest edits of the source that write the target's text."""

    target: ActionTokenizer
    costs: EditCosts

    @classmethod
    def learn(cls, texts: Tokenizers, examples: Sequence[Example]) -> "EditTokenizers":
        """Learn the costs of edits from examples that tokenizers cut. Raises UserError where there is nothing in them.

        Pairs with an empty side are left out, as they are of training.
        """
        pairs = [(example.source, target) for example in examples for target in example.targets]
        sides = (
            side.encode([pair[place] for pair in pairs]) for place, side in enumerate((texts.source, texts.written))
        )
        both = [pair for pair in zip(*sides, strict=True) if all(pair)]
        actions = ActionTokenizer(texts.source, texts.written)
        sizes = texts.source.size, texts.written.size
        learnt = learn_edits([own for own, _ in both], [other for _, other in both], sizes, actions.same)
        return cls(texts.source, actions, learnt.costs)

    @classmethod
    def restored(cls, texts: Tokenizers, costs: bytes) -> "EditTokenizers":
        """Tokenizers of texts with the serialised costs of the edits between them. Raises UserError at other costs."""
        found, wanted = EditCosts.from_bytes(costs), [texts.source.size + 1, texts.target.size + 1]
        if list(found.table.shape) != wanted:
            raise UserError(f"costs of edits must be a table of {wanted}, but are one of {list(found.table.shape)}.")
        return cls(texts.source, ActionTokenizer(texts.source, texts.target), found)

    @property
    def edits(self) -> bool:
        return True

    @property
    def written(self) -> Tokenizer:
        return self.target.text

    @property
    def serialized(self) -> dict[str, bytes]:
        return {**Tokenizers(self.source, self.written).serialized, "edits": self.costs.serialized}

    def save(self, folder: Path) -> None:
        Tokenizers(self.source, self.written).save(folder)
        write_whole(folder / _FILE, self.costs.serialized)

    def encode_pairs(self, sources: Sequence[str], targets: Sequence[str]) -> tuple[list[list[int]], list[list[int]]]:
        """Ids of sources, and the actions that turn each into its target by the cheapest edits."""
        own, other = self.source.encode(sources), self.written.encode(targets)
        ways = self.costs.cheapest(own, other)
        return own, [self.target.actions(*each) if each[1] else [] for each in zip(own, other, ways, strict=True)]

    def decode(self, sources: Sequence[str], ids: Sequence[list[int]]) -> list[str]:
        """Texts that actions write, each after its source."""
        return self.target.write(sources, ids)


def restored(models: dict[str, bytes], form: TextForm | None = None) -> Tokenizers:
    """Tokenizers from what `serialized` told of them, taking text in a form."""
    if FrameReader.is_serialized(models["source"]):
        written = models["target"]
        target = FrameWriter.restored(written) if FrameWriter.is_serialized(written) else Tokenizer(written, form)
        return Tokenizers(FrameReader.restored(models["source"]), target)
    texts = Tokenizers.from_bytes(models["source"], models["target"], form)
    return EditTokenizers.restored(texts, models["edits"]) if "edits" in models else texts


def load(folder: Path, form: TextForm | None = None) -> Tokenizers:
    """Tokenizers that `save` wrote to a folder, taking text in a form."""
    models = {side: (folder / f"{side}.model").read_bytes() for side in ("source", "target")}
    costs = folder / _FILE
    return restored(models | ({"edits": costs.read_bytes()} if costs.exists() else {}), form)
