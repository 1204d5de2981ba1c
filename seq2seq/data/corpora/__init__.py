"""Corpora that examples come from, one kind per file."""
