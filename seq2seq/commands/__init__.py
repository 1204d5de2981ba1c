"""One command a file, named after its script."""
