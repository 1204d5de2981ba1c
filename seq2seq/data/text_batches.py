"""Options of batches of running text."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TextBatches:
    """Options of batches of running text: those of pairs' batches."""

    max_tokens: int = 4096
    max_sentences: int = 512
    max_length: int = 256
    max_dev_examples: int | None = None
    pool_batches: int = 100
    seed: int = 1
