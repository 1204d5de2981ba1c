"""The LSTM's family, one kind per file."""
