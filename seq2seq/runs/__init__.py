"""A run on disk, and what is read from it."""
