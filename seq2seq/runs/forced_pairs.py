"""Examples as batches that force a run's model through their targets."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from seq2seq.data.examples import Example
from seq2seq.data.frame_reader import source_sequences
from seq2seq.data.sequences import TokenSequences
from seq2seq.runs.run import LoadedRun
from seq2seq.symbols import BOS

_AT_ONCE, _LONGEST = 64, 1024  # sentences whose states are in memory together; tokens of a source


def forced_batches(run: LoadedRun, examples: Sequence[Example]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Sources, their lengths, and first targets from BOS to EOS, on the model's device."""
    sources, device = [example.source for example in examples], next(run.model.parameters()).device
    targets = run.tokenizers.encode_pairs(sources, [example.targets[0] for example in examples])[1]
    read = source_sequences(run.tokenizers.source, sources).cut(_LONGEST)
    written = TokenSequences.from_ids(targets)
    for rows in torch.arange(len(sources)).split(_AT_ONCE):
        (source, lengths), (target, _) = (part.padded(rows, end=True) for part in (read, written))
        target = torch.cat([torch.full_like(target[:, :1], BOS), target], 1)
        yield source.to(device), lengths.to(device), target.to(device)
