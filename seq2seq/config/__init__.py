"""The Hydra edge: the command line, and what is checked of a config before anything is built."""
