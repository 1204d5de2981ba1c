"""A table of probabilities in the place of a model."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.shapes import BeamIds, BeamWeights, Lengths, Logits, Source
from seq2seq.symbols import EOS


class Table:
    """A Stepper whose next token depends on the last one alone: a first-order Markov chain, whatever the source.

    `following` holds, by token, the probabilities of what comes next; the first token comes after BOS. Tokens that it
    does not name have probability 0, and a token without a row is the last before EOS. Attention is spread evenly over
    the source. Raises UserError if the probabilities of a row are below 0 or do not sum to 1.
    """

    def __init__(self, following: Mapping[int, Mapping[int, float]]) -> None:
        size = 1 + max([EOS, *following, *(token for row in following.values() for token in row)])
        probabilities = torch.zeros(size, size)
        probabilities[:, EOS] = 1.0
        for token, row in following.items():
            if min(row.values(), default=0.0) < 0 or not math.isclose(sum(row.values()), 1.0, abs_tol=1e-6):
                raise UserError(
                    f"Probabilities of following[{token}] must be at least 0 and sum to 1, but are {dict(row)}."
                )
            probabilities[token] = 0.0
            probabilities[token, list(row)] = torch.tensor(list(row.values()))
        self.log_probabilities: Float[Tensor, "vocabulary vocabulary"] = probabilities.log()

    def start(self, source: Source, lengths: Lengths) -> tuple[Float[Tensor, "batch source"], tuple[()]]:
        """The attention of every step, which is the memory, and no states."""
        inside = torch.arange(source.shape[1], device=source.device) < lengths.unsqueeze(1)
        return inside / lengths.unsqueeze(1), ()

    def step(
        self, ids: BeamIds, memory: Float[Tensor, "batch source"], states: tuple[()]
    ) -> tuple[Logits, BeamWeights, tuple[()]]:
        """The table's rows of `ids`, `batch beam vocabulary`, even attention, `batch beam source`, and no states."""
        weights = memory.unsqueeze(1).expand(-1, ids.shape[1], -1)
        return self.log_probabilities.to(ids.device)[ids], weights, states
