"""Samples follow the model's distribution, cut and edited as asked, and hang on seed and sentence alone."""

import math
from collections import Counter

import pytest
import torch

from seq2seq.decoding.filters import Filters, Permitted, PermittedNext
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.symbols import BOS, EOS, PAD

SENTENCES, VOCABULARY = 4000, 8
FIRST = [0.08, 0.05, 0.02, 0.15, 0.3, 0.22, 0.13, 0.05]
SECOND = [0.02, 0.2, 0.08, 0.1, 0.05, 0.15, 0.1, 0.3]
TOKENS = [token for token in range(VOCABULARY) if token not in (PAD, BOS)]


@pytest.fixture
def stepper(stepper_of):
    return stepper_of(torch.tensor([[FIRST, SECOND, SECOND]]))


def distinct_sentences(count: int = SENTENCES) -> tuple[torch.Tensor, torch.Tensor]:
    """Equal sentences get equal samples; the table looks at the first token alone."""
    return torch.stack([torch.zeros(count, dtype=torch.long), torch.arange(count)], 1), torch.full((count,), 2)


def draw(stepper, *, steps: int = 1, request: Request | None = None, **options):
    search = Sampling(length=LengthLimits(max_ratio=0.0, max_extra=steps), **options)
    return search(stepper, *distinct_sentences(), request or Request(n_best=search.width))


def first(hypothesis) -> int:
    return hypothesis.ids[0] if hypothesis.ids else EOS


def expected(*, temperature=1.0, top_k=0, top_p=1.0, weights=None) -> dict[int, float]:
    """Chances of the first token in plain Python."""
    shares = {token: (FIRST[token] * (weights or {}).get(token, 1.0)) ** (1 / temperature) for token in TOKENS}
    kept, reached = {}, 0.0
    best = sorted(shares.items(), key=lambda pair: -pair[1])[: top_k or None]
    total = sum(share for _, share in best)
    for token, share in best:
        if reached < top_p:
            kept[token] = share
        reached += share / total
    return {token: share / sum(kept.values()) for token, share in kept.items()}


def assert_follows(counts: Counter, chances: dict, total: int) -> None:
    assert set(counts) <= {outcome for outcome, chance in chances.items() if chance > 0}
    assert sum(counts.values()) == total
    for outcome, chance in chances.items():
        assert abs(counts[outcome] - total * chance) <= 4.5 * math.sqrt(total * chance * (1 - chance)) + 1, outcome


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.5},
        {"top_k": 2},
        {"top_k": 99},
        {"top_p": 0.5},
        {"top_p": 0.01},
        {"top_k": 3, "top_p": 0.6},
        {"top_k": 4, "temperature": 2.0},
        {"top_p": 0.7, "temperature": 0.4},
        {"seed": 2},
    ],
    ids=str,
)
def test_frequencies_are_those_of_the_table(stepper, options):
    counts = Counter(first(hypothesis) for (hypothesis,) in draw(stepper, **options))
    assert_follows(counts, expected(**{name: value for name, value in options.items() if name != "seed"}), SENTENCES)


def test_filters_come_before_the_draw(stepper):
    found = draw(stepper, filters=Filters(end_bias=1.0))
    weights = {EOS: math.e}
    assert_follows(Counter(first(own) for (own,) in found), expected(weights=weights), SENTENCES)
    found = draw(stepper, top_k=2, request=Request(filters=[Permitted([5, 6], VOCABULARY)]))
    weights = {token: float(token in (EOS, 5, 6)) for token in TOKENS}
    assert_follows(Counter(first(own) for (own,) in found), expected(weights=weights, top_k=2), SENTENCES)


def test_a_later_token_is_drawn_by_itself(stepper):
    """The second is independent of the first, where the table says so."""
    chances = expected()
    later = {token: SECOND[token] / sum(SECOND[other] for other in TOKENS) for token in TOKENS}
    pairs = {(EOS,): chances[EOS]}
    pairs |= {(a, b): chances[a] * later[b] for a in TOKENS if a != EOS for b in TOKENS}
    found = draw(stepper, steps=2)
    counts = Counter(tuple([*own.ids, EOS] if own.finished else own.ids) for (own,) in found)
    assert_follows(counts, pairs, SENTENCES)


def test_samples_of_a_sentence_are_independent(stepper):
    chances = expected()
    pairs = {(a, b): chances[a] * chances[b] * (1 if a == b else 2) for a in TOKENS for b in TOKENS if a <= b}
    counts = Counter(tuple(sorted(map(first, own))) for own in draw(stepper, samples=2))
    assert_follows(counts, pairs, SENTENCES)


def test_the_same_seed_gives_the_same_and_another_gives_others(random_stepper, sources, assert_same):
    kinds = [0, 1, 2, 3, 4, 5]
    drawn = {}
    for seed in (1, 2, -5):
        search = Sampling(samples=4, seed=seed, length=LengthLimits(max_extra=6))
        drawn[seed] = search(random_stepper(), *sources(kinds), Request(n_best=4))
        for own, again in zip(drawn[seed], search(random_stepper(), *sources(kinds), Request(n_best=4)), strict=True):
            assert_same(own, again)
    ids = {seed: [[hypothesis.ids for hypothesis in own] for own in every] for seed, every in drawn.items()}
    assert ids[1] != ids[2] != ids[-5] != ids[1]


def test_equal_sentences_get_equal_samples_and_others_others(random_stepper, sources, assert_same):
    found = Sampling(samples=5)(random_stepper(), *sources([3, 1, 3, 3], [2, 2, 2, 5]), Request(n_best=5))
    assert_same(found[0], found[2])
    assert [one.ids for one in found[0]] != [one.ids for one in found[3]]


def test_no_seed_gives_a_sentence_the_numbers_of_another():
    """Were seeds and first tokens added up, seed 2 would be for token 4 what seed 1 is for token 5."""

    def numbers(seed: int, token: int) -> set[int]:
        search, lengths = Sampling(samples=9, seed=seed), torch.tensor([2])
        return set(search.prepare(torch.tensor([[token, EOS]]), lengths, Request()).flatten().tolist())

    drawn = [numbers(seed, token) for seed in range(8) for token in range(4, 12)]
    assert len(set().union(*drawn)) == 8 * 8 * 9


def test_frames_are_drawn_for_by_their_values_and_by_nothing_beside_them():
    search, lengths = Sampling(samples=3), torch.tensor([2, 1])
    frames = torch.tensor([[[0.5, -1.0], [torch.nan, 2.0]], [[0.5, -1.0], [0.0, 0.0]]])
    together = search.prepare(frames, lengths, Request())
    padded = torch.cat([frames, torch.full((2, 1, 2), 7.0)], 1)
    for row, length in enumerate(lengths.tolist()):
        alone = search.prepare(frames[row : row + 1, :length], lengths[row : row + 1], Request())
        assert torch.equal(alone[0], together[row])
    assert torch.equal(search.prepare(padded, lengths, Request()), together)
    assert torch.equal(search.prepare(frames.double(), lengths, Request()), together)
    others = frames + torch.tensor([[[0.0, 1e-3], [0.0, 0.0]], [[1e-3, 0.0], [0.0, 0.0]]]), frames.flip(-1)
    every = torch.cat([together, *(search.prepare(other, lengths, Request()) for other in others)])
    assert len(set(every.flatten().tolist())) == 6 * 3


def test_more_samples_hold_those_of_fewer(random_stepper, sources):
    every = Sampling(samples=6)(random_stepper(), *sources([0, 1, 2, 3]), Request(n_best=6))
    for samples in (1, 2, 5):
        found = Sampling(samples=samples)(random_stepper(), *sources([0, 1, 2, 3]), Request(n_best=samples))
        for fewer, more in zip(found, every, strict=True):
            assert Counter(tuple(one.ids) for one in fewer) <= Counter(tuple(one.ids) for one in more)


def test_the_extremes_of_chance_draw_nothing_impossible():
    scores = torch.tensor([[[-math.inf, -1.0, -math.inf, -2.0, -3.0, -math.inf]]])
    for options in ({}, {"top_k": 5}, {"top_p": 0.999}):
        drawn = [Sampling(**options)._draw(scores, torch.tensor([[chance]]).double()) for chance in (0.0, 1 - 2**-53)]
        assert [token.item() for token in drawn] == [1, 4]


def drawn_by_definition(scores, chance, *, temperature=1.0, top_k=0, top_p=1.0):
    """Tokens drawn from the whole vocabulary in float64, and how far the chance is from where another would be."""
    scores, ids = (scores.double() / temperature).sort(dim=-1, descending=True, stable=True)
    if not top_k and top_p == 1:  # in the order of the vocabulary
        scores, ids = scores.gather(-1, ids.argsort(-1)), torch.arange(scores.shape[-1]).expand_as(ids)
    share = scores[..., : top_k or None].softmax(-1)
    reached = share.cumsum(-1)
    kept = share.masked_fill(reached - share >= top_p, 0.0)
    edges = kept.cumsum(-1) / kept.sum(-1, keepdim=True)
    place = torch.searchsorted(edges, chance.unsqueeze(-1), right=True)
    near = (edges - chance.unsqueeze(-1)).abs().amin(-1)
    if top_p < 1:
        near = near.minimum((reached - top_p).abs().amin(-1))
    return ids.gather(-1, place).squeeze(-1), near


@pytest.mark.parametrize("vocabulary", [50, 64, 1000, 3000])
@pytest.mark.parametrize("spread", [1.0, 6.0])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.3},
        {"top_k": 7},
        {"top_k": 20, "top_p": 0.8, "temperature": 2.0},
        {"top_p": 0.3},
        {"top_p": 0.9},
        {"top_p": 0.999, "temperature": 3.0},
    ],
    ids=str,
)
def test_draws_are_those_of_the_plain_definition(vocabulary, spread, options):
    """Single precision and looking at the best alone change no draw but those that fall on an edge."""
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(3, 20, vocabulary, generator=generator) * spread
    scores[0, 0, : vocabulary // 2] = -math.inf
    chance = torch.rand(3, 20, generator=generator, dtype=torch.float64)
    wanted, near = drawn_by_definition(scores, chance, **options)
    clear = near > 1e-6
    assert clear.sum() > 30
    assert torch.equal(Sampling(**options)._draw(scores, chance)[clear], wanted[clear])


def test_draws_hang_on_their_own_scores_alone():
    """Where the few best of one hypothesis do not reach `top_p`, more are sorted for it, and the others stay."""
    flat, peaked = torch.zeros(1, 3, 3000), torch.arange(3000.0).expand(1, 3, -1)
    flat = flat + torch.linspace(0, 0.1, 3000)
    chance = torch.tensor([[0.1, 0.5, 0.9]]).double()
    search = Sampling(top_p=0.9)
    both = search._draw(torch.cat([flat, peaked], 1), chance.repeat(1, 2))
    assert torch.equal(both, torch.cat([search._draw(flat, chance), search._draw(peaked, chance)], 1))
    assert both[0, 2] < 3000 - 8 * 256


def test_two_samples_can_be_the_same(ending_after, sources):
    ((*found,),) = Sampling(samples=4, temperature=0.1)(ending_after([2]), *sources([0]), Request(n_best=4))
    assert [hypothesis.ids for hypothesis in found] == [[4, 5]] * 4


def test_the_likeliest_samples_come_first(random_stepper, sources):
    for own in Sampling(samples=8)(random_stepper(), *sources([0, 1, 2]), Request(n_best=8)):
        keys = [(not hypothesis.finished, -hypothesis.score) for hypothesis in own]
        assert keys == sorted(keys)


def test_every_sample_that_cannot_go_on_is_kept_as_it_stands(random_stepper, sources):
    asked = Request(n_best=8, filters=[PermittedNext(lambda row, ids: [] if ids[-1:] == [4] else None)])
    stepper, kinds = random_stepper(3), [0, 1, 2, 3, 4, 5]
    found = Sampling(samples=8, length=LengthLimits(max_extra=30))(stepper, *sources(kinds), asked)
    stuck = [hypothesis for own in found for hypothesis in own if not hypothesis.finished]
    assert all(len(own) == 8 for own in found)
    assert any(len({hypothesis.finished for hypothesis in own}) == 2 for own in found)
    assert all(4 not in hypothesis.ids[:-1] for own in found for hypothesis in own)
    assert stuck
    assert all(hypothesis.ids[-1] == 4 or len(hypothesis.ids) == 32 for hypothesis in stuck)
    for kind, own in zip(kinds, found, strict=True):
        for hypothesis in own:
            said = [*hypothesis.ids, *([EOS] if hypothesis.finished else [])]
            assert hypothesis.score == pytest.approx(sum(stepper.token_scores(kind, said)), abs=1e-4)
