"""Edits that turn a source into its target: learnt from pairs, and as actions of a transducer."""
