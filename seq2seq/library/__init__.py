"""The face to Python: what `import seq2seq` offers, with the names and defaults of the command line."""

import torch as torch  # before commands, which take a process that has not loaded it for a script's own
