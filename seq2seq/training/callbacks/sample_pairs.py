"""A sample of dev that callbacks force a model through."""

from seq2seq.interpretation.forced_lines import ForcedLines
from seq2seq.shapes import Lengths, Source, TargetIds
from seq2seq.training.module import Seq2SeqModule


def sample_pairs(module: Seq2SeqModule, sentences: int, max_tokens: int) -> tuple[Source, Lengths, TargetIds] | None:
    """The first so many dev pairs of at most so many tokens on a side, the end among them; None without any.

    Sources, their lengths, and targets from BOS to the end, on the model's device.
    """
    # Some more than wanted, as too long ones are left out: their gates would fill the memory.
    examples = [example for example in module.dev_examples if example.source.strip()][: 4 * sentences]
    if not examples:
        return None
    lines = ForcedLines.of(module.translator.tokenizers, examples, most=max_tokens - 1)
    return lines.first(sentences).whole(module.device) if len(lines) else None
