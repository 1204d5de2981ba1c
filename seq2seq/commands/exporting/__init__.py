"""Parts of the command export: one a kind, and the sources that all are proved by."""
