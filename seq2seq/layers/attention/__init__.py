"""Attention over a memory, one kind per file."""
