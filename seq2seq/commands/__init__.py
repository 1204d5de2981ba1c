"""Commands, one a file, named after their scripts."""
