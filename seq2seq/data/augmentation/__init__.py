"""Pairs made from those of train, anew in every epoch."""
