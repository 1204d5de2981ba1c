"""Runs without the pieces that never occur, nor their rows in tables and outputs."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import torch
from torch import Tensor

from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.data.used_pieces import used_alone
from seq2seq.errors import UserError
from seq2seq.layers.embedding import NGramEmbedding
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.initial_weights import rows_of_pieces
from seq2seq.runs.model_kinds import reads_frames, writes_frames
from seq2seq.runs.run import LoadedRun, build_model

Kept = dict[str, list[int]]  # by side, the ids of before of the pieces that stay


def with_used_pieces(run: LoadedRun, examples: Sequence[Example]) -> LoadedRun:
    """The run with the pieces alone that examples have: whatever it says of these is what it said of them before.

    Scores of the pieces that stay are the same up to rounding, so that their probabilities are those of before, given
    that no other piece comes. Raises UserError where rows are not by piece: hashed n-grams, an adaptive output,
    frames, edits, and copies.
    """
    _refuse(run)
    tokenizers, kept = _tokenizers(run.tokenizers, examples)
    model = build_model(run.config, tokenizers)
    model.load_state_dict(_weights(run, model, kept))
    return replace(run, model=model.eval(), tokenizers=tokenizers, graphs=None, ranges={})


def _refuse(run: LoadedRun) -> None:
    if reads_frames(run.config) or writes_frames(run.config) or run.model.edits or run.model.copies:
        raise UserError(
            "vocabulary=used needs a model that reads and writes text of its vocabularies, and copies none."
        )
    if not run.model.output.by_token:
        kind = type(run.model.output).__name__
        raise UserError(f"vocabulary=used needs an output with a row for every piece, but {kind} has clusters.")
    for _, ngrams in _ngrams(run.model):
        for window, rows in zip(ngrams.windows, ngrams.sizes, strict=True):
            if rows != ngrams.vocabulary_size ** (sum(window) + 1):
                raise UserError(
                    "vocabulary=used needs n-grams that have a row each, but those of this run share rows by hashes of "
                    "ids, which would be others: use vocabulary=all."
                )


def _tokenizers(tokenizers: Tokenizers, examples: Sequence[Example]) -> tuple[Tokenizers, Kept]:
    sources = [example.source for example in examples]
    targets = [target for example in examples for target in example.targets]
    if tokenizers.source.serialized == tokenizers.target.serialized:
        own, kept = used_alone(tokenizers.source, chain(sources, targets))
        return Tokenizers(own, own), {"source": kept, "target": kept}
    source, of_source = used_alone(tokenizers.source, sources)
    target, of_target = used_alone(tokenizers.target, targets)
    return Tokenizers(source, target), {"source": of_source, "target": of_target}


def _weights(run: LoadedRun, smaller: Seq2Seq, kept: Kept) -> dict[str, Tensor]:
    """The run's weights, with the rows of the pieces that stay; those that make a table a round number are zeros."""
    weights, wanted = dict(run.model.state_dict()), smaller.state_dict()
    for side, ids in kept.items():
        for name in rows_of_pieces(run, side):
            if ".ngrams." not in name:
                rows = torch.zeros_like(wanted[name])
                rows[: len(ids)] = run.model.state_dict()[name][ids]
                weights[name] = rows
    for path, ngrams in _ngrams(run.model):
        for number, window in enumerate(ngrams.windows):
            name = f"{path}.tables.{number}.weight"
            weights[name] = weights[name][_numbers(kept["source"], ngrams.vocabulary_size, sum(window) + 1)]
    return weights


def _numbers(ids: list[int], size: int, length: int) -> Tensor:
    """Rows of before of all n-grams of the pieces that stay, in the order of their new rows."""
    kept, numbers = torch.tensor(ids), torch.zeros(1, dtype=torch.long)
    for _ in range(length):
        numbers = (numbers.unsqueeze(1) * size + kept).flatten()
    return numbers


def _ngrams(model: Seq2Seq) -> list[tuple[str, NGramEmbedding]]:
    return [(path, module) for path, module in model.named_modules() if isinstance(module, NGramEmbedding)]
