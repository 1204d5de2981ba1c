"""Parts of the command adapt: pairs as they come, learning under test, and the versions that come of it."""
