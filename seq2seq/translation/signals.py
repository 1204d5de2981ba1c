"""Signals of a translation that need no reference, by which a stream can be watched."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.data.frame_reader import FrameReader
from seq2seq.symbols import UNK
from seq2seq.translation.line import Translation

# Every signal, and what to do once it has changed for good.
SIGNALS = {
    "nll": "look at these lines, and fine-tune on pairs like them (init=RUN) if more are to come",
    "entropy": "attention is spread otherwise: look at these lines with interpret.py",
    "unknown": "the source vocabulary lacks what comes: look at what was never seen, and train with lines like these",
    "length_ratio": "outputs are longer or shorter for their sources: look for what is left out, or said over and over",
}


def signals_of(translation: Translation) -> dict[str, float]:
    """The signals of a line's translation, by name; none where there is nothing to translate.

    `nll` is the mean negative log-probability of its tokens, in nats, with that of its end; `entropy` the mean entropy
    of their attention, in nats, missing without attention; `unknown` the share of source pieces that are UNK; and
    `length_ratio` is target tokens over source pieces. They are of the line alone, whatever was searched beside it.
    """
    hypothesis = translation.hypothesis
    ends = 0 if isinstance(translation.tokenizers.source, FrameReader) else 1  # frames have no end of their own
    read = None if hypothesis.attention is None else hypothesis.attention.shape[1] - ends
    source = translation.tokenizers.source.encode([translation.source])[0][:read]
    if not source or not hypothesis.token_scores:
        return {}
    return {
        "nll": -sum(hypothesis.token_scores) / len(hypothesis.token_scores),
        "unknown": _share(source),
        "length_ratio": len(hypothesis.ids) / len(source),
        **({"entropy": _entropy(hypothesis.attention)} if hypothesis.attention is not None and hypothesis.ids else {}),
    }


def _share(source: Sequence[int]) -> float:
    return sum(index == UNK for index in source) / len(source)


def _entropy(attention: Float[Tensor, "target source"]) -> float:
    return float(torch.special.entr(attention.double()).sum(1).mean())
