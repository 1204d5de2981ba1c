"""The Hydra edge: the command line, and what is checked of a config before anything is built."""

from seq2seq.config.open_parts import leave_open

leave_open("metrics")
leave_open("data")
