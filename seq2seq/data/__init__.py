"""Text to batches: corpora, tokenizers, token-budget batches."""
