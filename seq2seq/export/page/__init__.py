"""Models as one HTML page that runs them in plain JavaScript."""
