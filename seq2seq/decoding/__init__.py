"""Searches that know no model, only a Stepper."""
