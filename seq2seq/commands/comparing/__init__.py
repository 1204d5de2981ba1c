"""Parts of the command compare: choices, what is made equal of them, and their runs."""
