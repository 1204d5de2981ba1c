"""Parts of commands that score: running text, lags, weights in the place of a run's."""
