"""Recurrent cells, the loop over time, and stacks of both."""
