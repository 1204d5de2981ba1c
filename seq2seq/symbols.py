"""The reserved token ids, the same in every vocabulary."""

PAD = 0
UNK = 1
BOS = 2
EOS = 3
UNSAID = slice(PAD, BOS + 1, BOS - PAD)  # tokens that no target has behind its beginning: both
