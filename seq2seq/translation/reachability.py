"""References that no output can equal."""

from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq.data.examples import Example
from seq2seq.data.frame_reader import source_sequences
from seq2seq.data.space_mark import readable
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
    texts = [(example.source, text) for example in examples for text in example.targets]
    given = [source for source, _ in texts]
    encoded = tokenizers.encode_pairs(given, [text for _, text in texts])[1]
    read = source_sequences(tokenizers.source, given).cut(max_source_tokens)
    limits = length.max_length(read.lengths + read.end).tolist()
    written = tokenizers.decode(given, encoded)
    found = [
        (text, _reason(tokenizers.written, text, len(ids) + 1, most, back))
        for (_, text), most, ids, back in zip(texts, limits, encoded, written, strict=True)
        if back != text or len(ids) + 1 > most
    ]
    return Unreachable(len(found), len(texts), *(found[0] if found else ()))


def _reason(tokenizer: Tokenizer, text: str, tokens: int, most: int, written: str) -> str:
    if unknown := tokenizer.unknown(text):
        words = (readable(piece).split(" ") for piece in unknown)  # as characters that are unknown come together
        lacking = [*dict.fromkeys(word for own in words for word in own if word)] or [" "]
        return f"the target vocabulary lacks {', '.join(map(repr, lacking[:5]))}"
    if written != text:
        return f"the tokenizer writes it as {written[:60]!r} (tokenizer.normalization)"
    return (
        f"it has {tokens} tokens with its end, but the length limits allow {most}: raise decoding.length.max_ratio "
        "or max_extra"
    )
