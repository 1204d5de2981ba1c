"""Parts of the command benchmark: the steps that are measured, and a mode with a model for every vocabulary."""
