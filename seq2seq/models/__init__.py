"""Parts assembled into networks."""
