"""References that no output can equal."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import Tokenizer, Tokenizers
from seq2seq.decoding.length import LengthLimits


@dataclass(frozen=True)
class Unreachable:
    """References out of reach among all, and one of them with what stands in its way."""

    count: int
    references: int
    example: str = ""
    reason: str = ""

    def __str__(self) -> str:
        share = 100 * self.count / max(self.references, 1)
        return (
            f"{self.count} of {self.references} references ({share:.1f} %) are what no output can equal, such as "
            f"{self.example[:60]!r}: {self.reason}"
        )


def unreachable(
    examples: Sequence[Example], tokenizers: Tokenizers, length: LengthLimits, *, max_source_tokens: int
) -> Unreachable:
    """The references that the target vocabulary cannot write, or that are longer than the limits of a search allow."""
    sources = tokenizers.source.encode([example.source for example in examples])
    read = torch.tensor([min(len(ids), max_source_tokens) + 1 for ids in sources])
    limits = length.max_length(read).tolist() if examples else []
    numbered = zip(examples, limits, strict=True)
    pairs = [(example.source, text, most) for example, most in numbered for text in example.targets]
    _, encoded = tokenizers.encode_pairs([source for source, *_ in pairs], [text for _, text, _ in pairs])
    written = tokenizers.decode([source for source, *_ in pairs], encoded)
    found = [
        (text, _reason(tokenizers.written, text, len(ids) + 1, most, back))
        for (_, text, most), ids, back in zip(pairs, encoded, written, strict=True)
        if back != text or len(ids) + 1 > most
    ]
    return Unreachable(len(found), len(pairs), *(found[0] if found else ()))


def _reason(tokenizer: Tokenizer, text: str, tokens: int, most: int, written: str) -> str:
    if unknown := tokenizer.unknown(text):
        lacking = [piece.replace("\u2581", "") or " " for piece in dict.fromkeys(unknown)]
        return f"the target vocabulary lacks {', '.join(map(repr, lacking[:5]))}"
    if written != text:
        return f"the tokenizer writes it as {written[:60]!r} (tokenizer.normalization)"
    return f"it has {tokens} tokens with its end, but the length limits allow {most}: raise max_ratio or max_extra"
