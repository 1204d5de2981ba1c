"""Features to scores of the vocabulary."""
