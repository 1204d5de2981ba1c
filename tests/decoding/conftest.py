"""Tables of probabilities to search in, searches of whole spaces in plain Python, and models worth searching."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
import signatures  # noqa: F401  before anything of ours is imported
import torch
from torch import Tensor

from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.symbols import BOS, EOS, PAD

KINDS, CONTEXTS, STEPS = 6, 211, 30
NEVER = float("-inf")

Edit = Callable[[int, list[int], dict[int, float]], dict[int, float]]


def hashed(context: Any, ids: Any) -> Any:
    """A context that hangs on the whole prefix, for numbers and tensors alike."""
    return (context * 31 + ids * 7 + 1) % CONTEXTS


def counted(context: Any, ids: Any) -> Any:
    """A context that is the position alone."""
    return context + 1


class TableStepper:
    """Next tokens by a table: log-probabilities and attention by the sentence's kind and a context of the prefix.

    The kind is the first token of the source. `rows` and `beams` tell how much was asked for at every step.
    """

    def __init__(self, table: Tensor, follow: Callable[[Any, Any], Any] = hashed) -> None:
        self.table, self.follow = table, follow
        draw = torch.Generator().manual_seed(table.shape[1])
        self.attention = torch.randn(*table.shape[:2], 24, generator=draw)
        self.rows: list[int] = []
        self.beams: list[int] = []
        self.kinds: list[list[int]] = []

    def start(self, source: Tensor, lengths: Tensor) -> tuple[Any, Any]:
        inside = torch.arange(source.shape[1]) < lengths.unsqueeze(1)
        return (source[:, 0], inside), (torch.zeros(len(source), 1, dtype=torch.long),)

    def step(self, ids: Tensor, memory: Any, states: Any) -> tuple[Tensor, Tensor, Any]:
        (kinds, inside), (context,) = memory, states
        self.rows.append(len(ids))
        self.beams.append(ids.shape[1])
        self.kinds.append(kinds.tolist())
        context = self.follow(context, ids)
        kind = kinds.unsqueeze(1)
        # Logits are log-probabilities up to a constant of every row.
        logits = self.table[kind, context] + 3.0 * kind.unsqueeze(2) - 7.0
        weights = self.attention[kind, context, : inside.shape[1]].masked_fill(~inside.unsqueeze(1), NEVER).softmax(-1)
        return logits, weights, (context,)

    # The same in plain Python, for one prefix.

    def context_of(self, prefix: Sequence[int]) -> int:
        context = self.follow(0, BOS)
        for token in prefix:
            context = self.follow(context, token)
        return context

    @cached_property
    def _rows(self) -> list[list[list[float]]]:
        return self.table.double().log_softmax(-1).tolist()

    def log_probabilities(self, kind: int, prefix: Sequence[int]) -> list[float]:
        return self._rows[kind][self.context_of(prefix)]

    def token_scores(self, kind: int, tokens: Sequence[int]) -> list[float]:
        """Of all tokens, an EOS at the end too."""
        return [self.log_probabilities(kind, tokens[:place])[token] for place, token in enumerate(tokens)]

    def weights(self, kind: int, prefix: Sequence[int], length: int) -> Tensor:
        """Attention over the source, a row for every step up to that after the prefix."""
        rows = [self.attention[kind, self.context_of(prefix[:place]), :length] for place in range(len(prefix) + 1)]
        return torch.stack(rows).softmax(-1)


def _random_stepper(seed: int = 0, vocabulary: int = 8, sharpness: float = 1.5) -> TableStepper:
    draw = torch.Generator().manual_seed(seed)
    return TableStepper((sharpness * torch.randn(KINDS, CONTEXTS, vocabulary, generator=draw)).log_softmax(-1))


def _ending_after(counts: Sequence[int], vocabulary: int = 8) -> TableStepper:
    table = torch.full((len(counts), STEPS + 1, vocabulary), 0.01)
    for kind, count in enumerate(counts):
        for step in range(STEPS):
            table[kind, step + 1, EOS if step == count else 4 + step % 3] = 10.0
    return TableStepper((table / table.sum(-1, keepdim=True)).log(), counted)


def _sources(kinds: Sequence[int], lengths: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
    sizes = torch.tensor(lengths or [1] * len(kinds))
    return torch.tensor(kinds).unsqueeze(1).expand(-1, int(sizes.max())), sizes


@pytest.fixture
def random_stepper() -> Callable[..., TableStepper]:
    """A stepper whose next tokens hang on the whole prefix: random_stepper(seed, vocabulary=6)."""
    return _random_stepper


@pytest.fixture
def ending_after() -> Callable[..., TableStepper]:
    """A stepper of which kind k emits 4, 5, 6, 4, ... for counts[k] steps and then EOS."""
    return _ending_after


@pytest.fixture
def stepper_of() -> Callable[..., TableStepper]:
    """A stepper whose next tokens hang on the position alone: probabilities of `kind position vocabulary`."""

    def _stepper_of(probabilities: Tensor) -> TableStepper:
        first = torch.ones_like(probabilities[:, :1])
        return TableStepper(torch.cat([first, probabilities], 1).log().log_softmax(-1), counted)

    return _stepper_of


@pytest.fixture
def sources() -> Callable[..., tuple[Tensor, Tensor]]:
    """Sentences of the given kinds, all of one token or of the given lengths."""
    return _sources


# Whole spaces


@dataclass(frozen=True)
class Found:
    """A hypothesis of plain Python; `edited` is what a search sums, `score` what the model gives."""

    ids: list[int]
    edited: float
    score: float
    finished: bool
    steps: int  # EOS included


@dataclass(frozen=True)
class Space:
    """All hypotheses of a sentence. `edits` take sentence, prefix and scores of next tokens, and give new ones."""

    stepper: TableStepper
    limit: int
    minimum: int = 0
    edits: Sequence[Edit] = ()
    sentence: int = 0

    def next_scores(self, kind: int, prefix: list[int]) -> dict[int, float]:
        """Scores of what may come next."""
        scores = dict(enumerate(self.stepper.log_probabilities(kind, prefix)))
        del scores[PAD], scores[BOS]
        if len(prefix) < min(self.minimum, self.limit - 1):
            del scores[EOS]
        for edit in self.edits:
            scores = edit(self.sentence, prefix, scores)
        return scores

    def all(self, kind: int, prefix: Sequence[int] = (), edited: float = 0.0, score: float = 0.0) -> Iterator[Found]:
        """Every hypothesis that begins with the prefix."""
        if len(prefix) == self.limit:
            yield Found([*prefix], edited, score, False, self.limit)
            return
        model = self.stepper.log_probabilities(kind, prefix)
        for token, gain in self.next_scores(kind, [*prefix]).items():
            if token == EOS:
                yield Found([*prefix], edited + gain, score + model[token], True, len(prefix) + 1)
            else:
                yield from self.all(kind, [*prefix, token], edited + gain, score + model[token])

    def ranked(self, kind: int, length: int, rank: Callable[[float, int], float], beta: float = 0.0) -> list:
        """(rank, hypothesis) of all, the best first and unfinished ones behind."""

        def full(found: Found) -> float:
            if not beta:
                return rank(found.edited, found.steps)
            seen = self.stepper.weights(kind, found.ids, length)[: found.steps].sum(0).clamp(max=1.0)
            return rank(found.edited, found.steps) + beta * seen.log().sum().item()

        ranks = [(full(found), found) for found in self.all(kind)]
        return sorted(ranks, key=_place)


@pytest.fixture
def space() -> type[Space]:
    """All hypotheses of a table, counted out: space(stepper, limit).all(kind)."""
    return Space


def _blocking(size: int) -> Edit:
    def edit(_: int, prefix: list[int], scores: dict[int, float]) -> dict[int, float]:
        said = [prefix[place : place + size] for place in range(len(prefix) - size + 1)]
        return {token: score for token, score in scores.items() if [*prefix, token][-size:] not in said}

    return edit


def _penalty(factor: float) -> Edit:
    def edit(_: int, prefix: list[int], scores: dict[int, float]) -> dict[int, float]:
        return {token: score * (factor if token in prefix else 1.0) for token, score in scores.items()}

    return edit


def _bias(bias: float) -> Edit:
    def edit(_: int, prefix: list[int], scores: dict[int, float]) -> dict[int, float]:
        return {token: score + bias * (token == EOS) for token, score in scores.items()}

    return edit


def _permitting(function: Callable[[int, list[int]], Any]) -> Edit:
    def edit(sentence: int, prefix: list[int], scores: dict[int, float]) -> dict[int, float]:
        allowed = function(sentence, prefix)
        return {token: score for token, score in scores.items() if allowed is None or token in allowed}

    return edit


@pytest.fixture(scope="session")
def plain_filters() -> dict[str, Callable[[Any], Edit]]:
    """Every filter again, in plain Python."""
    return {
        "no_repeat_ngram": _blocking,
        "repetition_penalty": _penalty,
        "end_bias": _bias,
        "permitted": lambda ids: _permitting(lambda sentence, prefix: {EOS, *ids}),
        "permitted_next": _permitting,
        "forced_prefix": lambda prefixes: _permitting(
            lambda sentence, prefix: prefixes[sentence][len(prefix) : len(prefix) + 1] or None
        ),
    }


# A beam step by step


def _continued(space: Space, kind: int, beam: list, used: Counter, penalty: float) -> list:
    """(what is compared, what is summed, model's score, ids with EOS) of all continuations, the best first."""
    every = []
    for ids, edited, score in beam:
        model = space.stepper.log_probabilities(kind, ids)
        for token, gain in space.next_scores(kind, ids).items():
            total = edited + gain
            every.append((total - penalty * used[token], total, score + model[token], [*ids, token]))
    return sorted(every, key=lambda one: -one[0])


def _place(ranked: tuple[float, Found]) -> tuple[bool, float]:
    rank, found = ranked
    return not found.finished, -rank


def _plain_beam(
    space: Space,
    kind: int,
    width: int,
    rank: Callable[[float, int], float],
    *,
    patience: float = 1.0,
    groups: int = 1,
    penalty: float = 0.0,
) -> list[tuple[float, Found]]:
    """(rank, hypothesis) that a beam search finds, best first; groups pay for tokens of those before."""
    size = width // groups
    beams: list[list] = [[([], 0.0, 0.0)]] * groups
    ended: list[list[Found]] = [[] for _ in beams]
    for steps in range(1, space.limit + 1):
        used: Counter = Counter()
        for group, beam in enumerate(beams):
            every = _continued(space, kind, beam, used, penalty)
            for _, edited, score, ids in every[:size]:
                if ids[-1] == EOS:
                    ended[group].append(Found(ids[:-1], edited, score, True, len(ids)))
            going = [(ids, edited, score) for _, edited, score, ids in every if ids[-1] != EOS][:size]
            used.update({ids[-1] for ids, _, _ in going})
            enough = len(ended[group]) >= patience * size and steps < space.limit
            beams[group] = [] if enough else going
    ordered = []
    for own, beam in zip(ended, beams, strict=True):
        every = [*own, *(Found(*one, False, space.limit) for one in beam)]
        ranks = [(rank(found.edited, found.steps), found) for found in every]
        ordered += sorted(ranks, key=_place)[:size]  # every group has as many places as it is wide
    ordered.sort(key=_place)
    ids = [found.ids for _, found in ordered]
    return [pair for place, pair in enumerate(ordered) if pair[1].ids not in ids[:place]]


@pytest.fixture
def plain_beam() -> Callable[..., list[tuple[float, Found]]]:
    """Beam search and diverse beam search in plain Python."""
    return _plain_beam


@pytest.fixture
def assert_found() -> Callable[..., None]:
    """That hypotheses are the best of a ranked list, in order; those of equal rank may come either way."""

    def _assert_found(found: Sequence[Any], ranked: Sequence[tuple[float, Found]], n_best: int) -> None:
        by_ids = {(tuple(own.ids), own.finished): (rank, own) for rank, own in ranked}
        assert len(found) == min(n_best, len(ranked))
        assert len({tuple(hypothesis.ids) for hypothesis in found}) == len(found)
        for hypothesis, (wanted, place) in zip(found, ranked, strict=False):
            rank, own = by_ids[tuple(hypothesis.ids), hypothesis.finished]
            assert hypothesis.finished == place.finished
            assert hypothesis.rank_score == pytest.approx(rank, rel=1e-5, abs=2e-5)
            assert hypothesis.rank_score == pytest.approx(wanted, rel=1e-5, abs=2e-5)
            assert hypothesis.score == pytest.approx(own.score, rel=1e-5, abs=2e-5)

    return _assert_found


# Models


@pytest.fixture(params=["luong", "gnmt", "bahdanau", "luong by entmax"])
def model(request, build_model) -> Seq2Seq:
    """Random, with logits far enough apart for a clear choice, and EOS likely enough to end some sentences."""
    decoder, _, sparse = request.param.partition(" by ")
    model = build_model(decoder=decoder, attention="general").eval()
    if sparse:
        model.output.normalizer = model.decoder.attention.normalizer = sparse
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2.5)
        model.output.bias[EOS] += 1.0
    return model


@pytest.fixture
def sentences() -> list[list[int]]:
    draw = torch.Generator().manual_seed(5)
    lengths = torch.randint(1, 9, (12,), generator=draw).tolist()
    return [[*torch.randint(4, 12, (length,), generator=draw).tolist(), EOS] for length in lengths]


@pytest.fixture
def assert_same() -> Callable[..., None]:
    """That two lists of hypotheses are the same, but for the last digits of scores."""

    def _assert_same(found: Sequence[Any], wanted: Sequence[Any]) -> None:
        assert [hypothesis.ids for hypothesis in found] == [hypothesis.ids for hypothesis in wanted]
        assert [hypothesis.finished for hypothesis in found] == [hypothesis.finished for hypothesis in wanted]
        for one, other in zip(found, wanted, strict=True):
            assert math.isclose(one.score, other.score, rel_tol=1e-5, abs_tol=1e-5)
            assert math.isclose(one.rank_score, other.rank_score, rel_tol=1e-5, abs_tol=1e-5)
            assert one.token_scores == pytest.approx(other.token_scores, rel=1e-5, abs=1e-5)
            assert (one.attention is None) == (other.attention is None)
            if one.attention is not None:
                torch.testing.assert_close(one.attention, other.attention)

    return _assert_same
