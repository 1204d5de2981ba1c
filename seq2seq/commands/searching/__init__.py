"""Parts of the command search: a study, and its trials."""
