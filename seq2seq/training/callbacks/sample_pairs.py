"""A sample of dev that callbacks force a model through."""

import torch

from seq2seq.data.frame_reader import source_sequences
from seq2seq.data.sequences import TokenSequences
from seq2seq.shapes import Lengths, Source, TargetIds
from seq2seq.symbols import BOS
from seq2seq.training.module import Seq2SeqModule


def sample_pairs(module: Seq2SeqModule, sentences: int, max_tokens: int) -> tuple[Source, Lengths, TargetIds] | None:
    """The first so many dev pairs of at most so many tokens on a side, on the model's device; None without any.

    Sources, their lengths, and targets from BOS to the end.
    """
    tokenizers = module.translator.tokenizers
    # Some more than wanted, as too long ones are left out: their gates would fill the memory.
    examples = [example for example in module.dev_examples if example.source.strip()][: 4 * sentences]
    texts = [example.source for example in examples], [example.targets[0] for example in examples]
    pairs = zip(*texts, *tokenizers.encode_pairs(*texts), strict=True)
    short = [(text, ids) for text, _, read, ids in pairs if max(len(read), len(ids)) < max_tokens]
    if not (chosen := short[:sentences]):
        return None
    every = torch.arange(len(chosen))
    source, lengths = source_sequences(tokenizers.source, [text for text, _ in chosen]).padded(every, end=True)
    target, _ = TokenSequences.from_ids([ids for _, ids in chosen]).padded(every, end=True)
    target = torch.cat([torch.full_like(target[:, :1], BOS), target], 1)
    return source.to(module.device), lengths.to(module.device), target.to(module.device)
