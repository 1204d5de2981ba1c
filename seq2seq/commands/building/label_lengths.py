"""Pairs of a tagger, which have one label, or frame, for each position of their source."""

from collections.abc import Sequence

from seq2seq.data.batch import PairSequences
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.examples import Example
from seq2seq.errors import UserError, printable
from seq2seq.models.seq2seq import Seq2Seq


def refuse_unlike_lengths(data: Seq2SeqDataModule, model: Seq2Seq) -> None:
    """Raise UserError at a pair of train or dev with more or fewer labels, or frames, than its source has positions."""
    if not model.tags:
        return
    for split, pairs, examples in (
        ("train", data.train_pairs, data.splits.train),
        ("dev", data.dev_pairs, data.dev_examples),
    ):
        unlike = (pairs.source.lengths != pairs.target.lengths).nonzero().flatten()
        if len(unlike):
            raise UserError(_told(split, pairs, int(unlike[0]), examples))


def _told(split: str, pairs: PairSequences, row: int, examples: Sequence[Example]) -> str:
    assert pairs.owners is not None
    example = examples[int(pairs.owners[row])]
    kind = "labels" if pairs.target.end else "frames"
    unit, other = ("tokens", ", or choose another tokenizer.source") if pairs.source.end else ("frames", "")
    return (
        f"data must give model=tagger one of the {kind} for each position, but in {split} source "
        f"{printable(example.source[:40])!r} has {int(pairs.source.lengths[row])} {unit} and "
        f"{int(pairs.target.lengths[row])} {kind}: mend the pair{other}."
    )
