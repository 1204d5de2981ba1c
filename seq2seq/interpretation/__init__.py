"""Tools to look inside a trained model."""
