"""Tokenizers of runs whose sources are frames: a reader of these, and what cuts targets."""

from typing import Any

from seq2seq.data.examples import Example, Splits
from seq2seq.data.frame_reader import FrameReader, FrameWriter
from seq2seq.data.series import Series


def reader_of(config: dict[str, Any], splits: Splits) -> FrameReader:
    """The reader of the series that a config trains on."""
    first = next(example.source for example in splits.train if isinstance(example.source, Series))
    given = config["model"]["encoder"]["input"]
    imputes, timed = (given.get(name) is not None for name in ("imputation", "time_unit"))
    return FrameReader(first.values.shape[1], missing=imputes, timed=timed)


def writer_of(splits: Splits) -> FrameWriter:
    """The reader of the targets that are series, as many frames each as they all have."""
    targets = [target for example in splits.train for target in example.targets if isinstance(target, Series)]
    lengths = {len(target.values) for target in targets}
    return FrameWriter(targets[0].values.shape[1], lengths.pop() if len(lengths) == 1 else None)


def answers(splits: Splits) -> list[Example]:
    """Examples whose sources are their targets, for a tokenizer of these alone."""
    return [Example(target, (target,)) for example in splits.train for target in example.targets]
