"""Scores of hypotheses against references, as torchmetrics with sum states."""
