"""The face to Python: what `import seq2seq` offers, with the names and defaults of the command line."""
