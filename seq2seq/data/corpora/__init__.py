"""Where examples come from, one kind of corpus per file."""
