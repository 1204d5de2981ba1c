"""Parts of commands that answer lines: series in their place, and a watch over the answers."""
