"""Translation of text: what searches over ids mean to somebody with lines."""
