"""Texts of many examples as token ids, some at a time, and how often each comes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq.data.batch import PairSequences
from seq2seq.data.examples import Example
from seq2seq.data.frame_reader import FrameReader, FrameWriter
from seq2seq.data.sequences import SequenceWriter, TokenSequences
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.symbols import EOS, UNK

_AT_ONCE = 8192  # pairs, whose ids are lists of Python for a moment
_COUNTED_AT_ONCE = 1 << 20  # tokens: a copy of them all would be large


@dataclass(frozen=True)
class EncodedPairs:
    """The pairs that can be learnt from, as token ids; which they are among all, and how many others there were."""

    pairs: PairSequences
    kept: np.ndarray
    empty: int
    long: int


def pairs_of(examples: Sequence[Example]) -> Iterator[tuple[str, str]]:
    """Sources and targets; a source with several targets comes once with each."""
    return ((example.source, target) for example in examples for target in example.targets)


def encoded_parts(
    pairs: Iterator[tuple[str, str]], tokenizers: Tokenizers
) -> Iterator[tuple[list[list[int]], list[list[int]]]]:
    """Token ids of sources and of targets, of some thousand pairs at a time."""
    while part := list(islice(pairs, _AT_ONCE)):
        yield tokenizers.encode_pairs([source for source, _ in part], [target for _, target in part])


def encoded(examples: Sequence[Example], tokenizers: Tokenizers, max_length: int) -> EncodedPairs:
    """The pairs of examples that have tokens on both sides, and no more than so many on either."""
    writers = SequenceWriter(), SequenceWriter()
    every, empty = [np.zeros(0, dtype=bool)], 0
    for sides in encoded_parts(pairs_of(examples), tokenizers):
        lengths = [np.fromiter(map(len, side), np.int64, len(side)) for side in sides]
        filled = np.minimum(*lengths) > 0
        empty += int((~filled).sum())
        every.append(filled & (np.maximum(*lengths) <= max_length))
        for writer, side in zip(writers, sides, strict=True):
            writer.extend(side, every[-1])
    kept = np.flatnonzero(np.concatenate(every))
    long = sum(map(len, every)) - len(kept) - empty
    owners = torch.from_numpy(_owners(examples)[kept])
    source, target = (writer.sequences() for writer in writers)
    if isinstance(tokenizers.source, FrameReader):
        series = [example.source for example in examples for _ in example.targets]
        source = tokenizers.source.sequences([series[row] for row in kept])
    if isinstance(tokenizers.target, FrameWriter):
        answers = [target for example in examples for target in example.targets]
        target = tokenizers.target.sequences([answers[row] for row in kept])
    return EncodedPairs(PairSequences(source, target, owners=owners), kept, empty, long)


def token_counts(sentences: TokenSequences, size: int) -> Int[Tensor, " vocabulary"]:
    """Counts of every token of a vocabulary, with an EOS behind each sentence."""
    counts = torch.zeros(size, dtype=torch.long)
    for some in map(Tensor.long, sentences.flat[:-1].split(_COUNTED_AT_ONCE)):  # the last is PAD
        counts += torch.bincount(some.where(some < size, UNK), minlength=size)
    counts[EOS] += len(sentences)
    return counts


def _owners(examples: Sequence[Example]) -> np.ndarray:
    """The number of the example that each pair is of."""
    counts = np.fromiter((len(example.targets) for example in examples), np.int32, len(examples))
    return np.repeat(np.arange(len(examples), dtype=np.int32), counts)
