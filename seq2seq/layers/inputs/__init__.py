"""Inputs: tokens or frames, made vectors."""
