"""Watches over streams of numbers for lasting changes, in plain Python."""
