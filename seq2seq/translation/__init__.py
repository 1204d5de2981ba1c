"""Text in, text out: what searches over ids mean to somebody with lines."""
