"""Differentiable parts that know nothing of language."""
