"""Parts of commands that look into a run: what they read, and the folder that they write."""
