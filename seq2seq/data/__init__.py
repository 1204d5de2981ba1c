"""Batches made of text: corpora, tokenizers, token budgets."""
