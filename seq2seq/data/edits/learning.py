"""Edits learnt from pairs by expectation maximisation."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq.data.edits.edit_costs import Costs, EditCosts, Lattice, PaddedPairs, chunks, edits_of
from seq2seq.errors import UserError

_ITERATIONS, _ENOUGH = 40, 1e-5  # at most, and a relative gain in likelihood that is too small to go on for
_FLOOR = 1e-7  # of a probability, so that every pair has a way from one side to the other
_ZERO = 1e-40  # in the place of a probability of 0, whose logarithm would be none
_LARGEST = 1 << 24  # entries of a table: alphabets, not vocabularies of words
_NEVER = float("-inf")


@dataclass(frozen=True)
class Learnt:
    """Costs of edits, and the log-likelihood of the pairs before each step of learning, in nats."""

    costs: EditCosts
    likelihoods: list[float]


def learn_edits(
    source: Sequence[Sequence[int]],
    target: Sequence[Sequence[int]],
    sizes: tuple[int, int],
    same: Sequence[tuple[int, int]] = (),
) -> Learnt:
    """Costs of edits between two alphabets of the given sizes, learnt from pairs of ids (Ristad & Yianilos 1998).

    A pair is made by drawing edits, memoryless, until it ends: p(x, y) = sum over ways of the product of p(edit), where
    p sums to 1 over substitutions (a, b), deletions (a, -), insertions (-, b) and the end. A step counts how often each
    edit is expected in the pairs, by p so far, and makes that the new p: the likelihood never falls. Edits start alike,
    but those that keep a symbol (`same`: ids of both sides). Costs are -log p. Raises UserError where nothing can be
    learnt: at no pairs, at an empty side, and at alphabets whose table would be too large.
    """
    _check(source, target, sizes)
    parts = chunks(source, target)
    logs = _beginning(sizes, same)
    likelihoods: list[float] = []
    for _ in range(_ITERATIONS):
        counts, likelihood = torch.zeros_like(logs), 0.0
        for pairs in parts:
            likelihood += _count(logs, pairs, counts)
        counts[-1, -1] = len(source)  # the end of each
        likelihood += len(source) * float(logs[-1, -1])
        gain = likelihood - likelihoods[-1] if likelihoods else float("inf")
        likelihoods.append(likelihood)
        if gain <= _ENOUGH * abs(likelihood):
            break
        logs = (counts / counts.sum()).clamp(min=_ZERO).log()
    return Learnt(EditCosts(-logs.exp().clamp(min=_FLOOR).log()), likelihoods)


def log_likelihood(costs: EditCosts, source: Sequence[Sequence[int]], target: Sequence[Sequence[int]]) -> float:
    """The log-probability of pairs by the costs of edits, over all ways, in nats."""
    logs = -costs.table
    ways = (_after(edits_of(logs, pairs), pairs)[:, 0, 0].sum() for pairs in chunks(source, target))
    return float(sum(ways)) + len(source) * float(logs[-1, -1])


def _check(source: Sequence[Sequence[int]], target: Sequence[Sequence[int]], sizes: tuple[int, int]) -> None:
    if not source:
        raise UserError("edits cannot be learnt from no pairs: give some with both sides.")
    for side, sentences in (("source", source), ("target", target)):
        if (empty := sum(not ids for ids in sentences)) > 0:
            raise UserError(
                f"edits must be learnt from pairs with both sides, but {empty} of {len(sentences)} have an empty "
                f"{side}: leave them out."
            )
    if sizes[0] * sizes[1] > _LARGEST:
        raise UserError(
            f"edits must be of alphabets, at most {_LARGEST:,} pairs of symbols, but vocabularies of {sizes[0]:,} and "
            f"{sizes[1]:,} were given: cut both sides into characters."
        )


def _beginning(sizes: tuple[int, int], same: Sequence[tuple[int, int]]) -> Costs:
    """Logarithms of the first probabilities: alike, but for symbols that stay, which weigh as all others of theirs."""
    weights = torch.ones(sizes[0] + 1, sizes[1] + 1, dtype=torch.float64)
    for own, other in same:
        weights[own, other] = sizes[1]
    return (weights / weights.sum()).log()


def _count(logs: Costs, pairs: PaddedPairs, counts: Costs) -> float:
    """Add the expected number of every edit in the pairs, and return the log-likelihood of all of them."""
    edits = edits_of(logs, pairs)
    before, after = _before(edits), _after(edits, pairs)
    total = after[:, 0, 0]
    substitution, deletion, insertion = edits
    none = torch.tensor(counts.shape) - 1
    found = [
        (before[:, :-1, :-1] + substitution + after[:, 1:, 1:], pairs.source.unsqueeze(2), pairs.target.unsqueeze(1)),
        (before[:, :-1] + deletion.unsqueeze(2) + after[:, 1:], pairs.source.unsqueeze(2), none[1]),
        (before[:, :, :-1] + insertion.unsqueeze(1) + after[:, :, 1:], none[0], pairs.target.unsqueeze(1)),
    ]
    for weights, own, other in found:
        places = (own * counts.shape[1] + other).expand_as(weights)
        counts.view(-1).index_add_(0, places.flatten(), (weights - total[:, None, None]).exp().flatten())
    return float(total.sum())


def _before(edits: tuple[Tensor, Tensor, Tensor]) -> Lattice:
    """Log-probabilities of coming to every place from the beginning."""
    substitution, deletion, insertion = edits
    ahead = functional.pad(insertion.cumsum(1), (1, 0))  # of inserting the first j
    rows = [ahead]
    for place in range(substitution.shape[1]):
        above = rows[-1] + deletion[:, place, None]
        diagonal = functional.pad(rows[-1][:, :-1] + substitution[:, place], (1, 0), value=_NEVER)
        rows.append((torch.logaddexp(above, diagonal) - ahead).logcumsumexp(1) + ahead)
    return torch.stack(rows, 1)


def _after(edits: tuple[Tensor, Tensor, Tensor], pairs: PaddedPairs) -> Lattice:
    """Log-probabilities of coming from every place to the end of the pair."""
    substitution, deletion, insertion = edits
    behind = functional.pad(insertion.flip(1).cumsum(1).flip(1), (0, 1))  # of inserting all from j on
    ends, rows = -pairs.ends, []
    below = torch.full_like(ends[:, 0], _NEVER)
    for place in reversed(range(ends.shape[1])):
        row = ends[:, place]
        if place < substitution.shape[1]:
            diagonal = functional.pad(below[:, 1:] + substitution[:, place], (0, 1), value=_NEVER)
            row = torch.logaddexp(row, torch.logaddexp(below + deletion[:, place, None], diagonal))
        below = (row - behind).flip(1).logcumsumexp(1).flip(1) + behind
        rows.append(below)
    return torch.stack(rows[::-1], 1)
