"""Memories that grow: what a controller can push and pop."""
