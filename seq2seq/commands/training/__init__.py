"""Parts of the command train: what training starts from, how it goes on and what comes of it."""
