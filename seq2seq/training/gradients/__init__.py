"""Changes of gradients before the optimizer reads them, one kind per file."""
