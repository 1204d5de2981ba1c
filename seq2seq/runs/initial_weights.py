"""Weights that a run's model hands on to another model of the same config, whose vocabularies may be others."""

import torch
from torch import Tensor

from seq2seq.config.builder import build
from seq2seq.data.tokenizers import Tokenizer, Tokenizers
from seq2seq.errors import UserError
from seq2seq.models.blank import blank
from seq2seq.runs.run import LoadedRun
from seq2seq.symbols import EOS, UNK

_SIDES = ("source", "target")


def initial_weights(run: LoadedRun, fresh: dict[str, Tensor], tokenizers: Tokenizers) -> dict[str, Tensor]:
    """The weights to start from: the run's, with rows of vocabularies carried over by piece.

    A new piece starts as the mean of those that the run's tokenizer cuts it into; where it knows none of them, as it is
    in `fresh`, newly drawn weights. Vectors of n-grams of other ids start at 0, and so change nothing yet. Raises
    UserError at an output that cannot be carried over.
    """
    own = run.model.state_dict()
    weights = dict(own)
    for side in _SIDES:
        before, now = getattr(run.tokenizers, side), getattr(tokenizers, side)
        if before.serialized == now.serialized:
            continue
        if side == "target" and not run.model.output.by_token:
            raise UserError(
                f"init cannot carry {type(run.model.output).__name__} over to other target tokens, as its clusters are "
                "of those that it was trained on: give the tokenizer options of that run, or start from another."
            )
        for name in rows_of_pieces(run, side):
            if ".ngrams." in name:
                weights[name] = torch.zeros_like(fresh[name])
            else:
                weights[name] = _carried(own[name], fresh[name], before, now)
        if side == "source":
            weights |= {name: torch.zeros_like(value) for name, value in fresh.items() if ".ngrams." in name}
    return weights


def shared_pieces(before: Tokenizer, now: Tokenizer) -> tuple[int, int]:
    """The number of pieces of the second tokenizer that the first has, too, and of all of them."""
    known = set(_pieces(before))
    return sum(piece in known for piece in _pieces(now)), len(_pieces(now))


def _pieces(tokenizer: Tokenizer) -> list[str]:
    return tokenizer.pieces(range(EOS + 1, tokenizer.size))


def rows_of_pieces(run: LoadedRun, side: str) -> list[str]:
    """Names of weights with a row for every piece of a side: those that grow as its vocabulary does."""
    sizes = {other: getattr(run.tokenizers, other).size for other in _SIDES}
    sides = _SIDES if run.config["model"].get("share_embeddings") else (side,)
    more = run.config["model"].get("vocabulary_multiple", 1)  # by fewer, a table need not grow
    before, grown = _shapes(run, sizes), _shapes(run, sizes | {other: sizes[other] + more for other in sides})
    return [name for name, shape in before.items() if shape != grown[name]]


def _shapes(run: LoadedRun, sizes: dict[str, int]) -> dict[str, torch.Size]:
    with blank("meta"):
        model = build(run.config["model"], "model")(**{f"{side}_vocabulary_size": sizes[side] for side in _SIDES})
    return {name: weight.shape for name, weight in model.state_dict().items()}


def _carried(rows: Tensor, fresh: Tensor, before: Tokenizer, now: Tokenizer) -> Tensor:
    """Rows for the pieces of a tokenizer, from those for another's pieces."""
    carried = fresh.clone()
    carried[: EOS + 1] = rows[: EOS + 1]
    numbers = {piece: index for index, piece in enumerate(before.pieces(range(before.size)))}
    for index, piece in enumerate(_pieces(now), EOS + 1):
        if piece in numbers:
            carried[index] = rows[numbers[piece]]
            continue
        if known := [part for part in before.parts(piece) if part != UNK and part < before.size]:
            carried[index] = rows[known].mean(0)
    return carried
