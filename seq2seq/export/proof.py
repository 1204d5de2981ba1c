"""Proof that graphs do what a model does: on lines, in batches and beams that are unlike the example traced."""

from collections.abc import Sequence
from copy import copy
from math import inf, isnan
from typing import Any, NamedTuple

from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.search import Search
from seq2seq.errors import UserError
from seq2seq.translation.translator import Translator

SHAPES = ((1, 1), (1, 5), (2, 3), (4, 4), (7, 1), (16, 5))  # lines at a time, and width of the search
_OF_ALL = SHAPES[-2:]  # greedy and beam that search every line; others search a few


class Proof(NamedTuple):
    """A proof: how many lines were searched by both, and the worst difference of a token's score, in nats."""

    lines: int
    worst: float


class Limits(NamedTuple):
    """Limits of a proof: nats in a token's score, and the share of lines that may have other tokens."""

    nats: float = 1e-5
    share: float = 0.0


EXACT = Limits()


def prove(plain: Translator, exported: Translator, sources: Sequence[str]) -> Proof:
    """Search sources by both, in every shape, and compare tokens and scores; then each alone and beside others.

    Two shapes, greedy and beam, are of all sources, the others of some. Raises UserError, with the difference, where a
    score differs by more than 1e-5 nats, or tokens do whose whole score differs so.
    """
    worst = 0.0
    for count, width in SHAPES:
        search = _search(plain, width)
        lines = sorted(sources, key=len) if (count, width) in _OF_ALL else _by_length(sources, count)
        wanted, found = (_found(own, search, lines, count) for own in (plain, exported))
        where = f"of {len(lines)} at a time, {'greedy' if width == 1 else f'beam {width}'}"
        worst = max(worst, _compare("the model", wanted, found, lines, where))
    return Proof(len(sources), max(worst, prove_alone(exported, sources)))


def prove_alone(exported: Translator, sources: Sequence[str], limits: Limits = EXACT) -> float:
    """The worst difference of a score of a line alone from that beside all others. Raises UserError beyond limits."""
    search = _search(exported, 3)
    together, alone = (_found(exported, search, sources, count) for count in (len(sources), 1))
    return _compare("each line alone", alone, together, sources, "of all together, beam 3", limits)


def _search(translator: Translator, width: int) -> Search:
    limits: dict[str, Any] = {"length": translator.search.length, "filters": translator.search.filters}
    return GreedySearch(**limits) if width == 1 else BeamSearch(beam_size=width, **limits)


def _found(translator: Translator, search: Search, sources: Sequence[str], count: int) -> list[Hypothesis]:
    own = copy(translator)
    own.search, own.batch_size = search, count
    return own.hypotheses(sources)


def _compare(
    what: str,
    wanted: Sequence[Hypothesis],
    found: Sequence[Hypothesis],
    sources: Sequence[str],
    where: str,
    limits: Limits = EXACT,
) -> float:
    """The worst difference between scores of tokens. Raises UserError beyond limits; a tie is no difference."""
    worst, others = 0.0, 0
    for one, other, source in zip(wanted, found, sources, strict=True):
        pairs = zip(one.token_scores, other.token_scores, strict=False)
        same = one.ids == other.ids
        gaps = [_gap(a, b) for a, b in pairs] if same else [_gap(one.score, other.score)]
        others += not same
        if not max(gaps, default=0.0) <= limits.nats and (same or others > limits.share * len(sources)):
            raise UserError(
                f"to=onnx must do what {what} does, but differs {where}, at {source!r}: "
                + (f"a token's score is {max(gaps):.1e} nats off." if same else "the tokens are others.")
                + " Nothing was written: decode by the run."
            )
        worst = max(worst, *gaps) if same and gaps else worst
    return worst


def _gap(one: float, other: float) -> float:
    """The difference of two scores, in nats; of those below -1, by how far below: float32 has no more digits there.

    Infinity where it is no number, which no maximum would find.
    """
    gap = abs(one - other) / max(1.0, abs(one))
    return inf if isnan(gap) else gap


def _by_length(sources: Sequence[str], count: int) -> list[str]:
    """Lines from all over the sources, the shortest and the longest among them: two batches, the last not full."""
    ordered = sorted(sources, key=len)
    wanted = min(len(ordered), 2 * count - 1) if count > 1 else min(len(ordered), 3)
    return [ordered[place * (len(ordered) - 1) // max(1, wanted - 1)] for place in range(wanted)]
