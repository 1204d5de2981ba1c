"""Searches over next tokens, one kind per file, and what they share."""
