"""Filters alone, against plain Python; and that no search lets through what they forbid."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.decoding.filters import (
    EndBias,
    Filters,
    ForcedPrefix,
    NGramBlocking,
    Permitted,
    PermittedNext,
    Prefixes,
    RepetitionPenalty,
)
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.diverse_beam import DiverseBeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.symbols import BOS, EOS, PAD, UNK

VOCABULARY, NEVER = 8, float("-inf")
LAW = settings(deadline=None, max_examples=40)
KINDS, LENGTHS = [2, 0, 1, 2, 5, 3], [3, 1, 2, 5, 1, 4]
LIMITS = LengthLimits(max_ratio=1.0, max_extra=4)
SEARCHES = {
    "greedy": GreedySearch,
    "beam": lambda **options: BeamSearch(beam_size=4, **options),
    "diverse": lambda **options: DiverseBeamSearch(beam_size=4, groups=2, **options),
    "sampling": lambda **options: Sampling(samples=6, temperature=2.0, **options),
}


def prefixes_of(ids: torch.Tensor) -> Prefixes:
    return Prefixes(ids, torch.arange(len(ids)), torch.ones(ids.shape[:2], dtype=torch.bool))


# Each alone


@LAW
@given(st.integers(1, 3), st.integers(0, 9), st.integers(0, 1000))
def test_every_filter_is_that_of_plain_python(plain_filters, size, time, seed):
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(4, 7, (2, 3, time), generator=draw)
    scores = torch.randn(2, 3, VOCABULARY, generator=draw)
    forced = [[4, 5, 6, 4], []]
    cases = [
        (NGramBlocking(size), plain_filters["no_repeat_ngram"](size)),
        (RepetitionPenalty(1.5), plain_filters["repetition_penalty"](1.5)),
        (EndBias(-0.5), plain_filters["end_bias"](-0.5)),
        (Permitted([4, UNK], VOCABULARY), plain_filters["permitted"]([4, UNK])),
        (ForcedPrefix(forced), plain_filters["forced_prefix"](forced)),
    ]
    for edit, plain in cases:
        edited = edit(scores.clone(), prefixes_of(ids))
        for row in range(2):
            for place in range(3):
                given_scores = dict(enumerate(scores[row, place].tolist()))
                wanted = plain(row, ids[row, place].tolist(), given_scores)
                told = [wanted.get(token, NEVER) for token in range(VOCABULARY)]
                assert edited[row, place].tolist() == pytest.approx(told)


def test_the_penalty_spares_the_end():
    ids = torch.tensor([[[EOS, 4]]])  # an empty place of the beam can hold one
    edited = RepetitionPenalty(3.0)(-torch.ones(1, 1, VOCABULARY), prefixes_of(ids))
    assert edited[0, 0].tolist() == [-1.0] * 4 + [-3.0] + [-1.0] * 3


def test_only_those_that_change_scores_of_what_they_let_through_say_so():
    assert [kind.changes_scores for kind in (RepetitionPenalty, EndBias)] == [True, True]
    barring = (NGramBlocking, Permitted, PermittedNext, ForcedPrefix)
    assert not any(kind.changes_scores for kind in barring)


def test_filters_at_their_neutral_values_are_off():
    assert Filters().active == []
    kinds = [type(edit) for edit in Filters(no_repeat_ngram=2, repetition_penalty=1.1, end_bias=-1.0).active]
    assert kinds == [NGramBlocking, RepetitionPenalty, EndBias]


# In searches


@pytest.fixture(params=SEARCHES)
def find(request, random_stepper, sources):
    """Every hypothesis that a search finds of six sentences, in its list."""

    def _find(options=None, length=LIMITS, stepper=None, **asked):
        search = SEARCHES[request.param](length=length, filters=options)
        wish = Request(n_best=search.width, **asked)
        return search(stepper or random_stepper(6), *sources(KINDS, LENGTHS), wish)

    return _find


@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_ngram_comes_twice(find, size):
    """On a stepper of three tokens, so that it would."""

    def repeats(found) -> int:
        count = 0
        for own in found:
            for hypothesis in own:
                ids = hypothesis.ids
                ngrams = [tuple(ids[place : place + size]) for place in range(len(ids) - size + 1)]
                count += len(ngrams) - len(set(ngrams))
        return count

    narrow, length = Permitted([4, 5], VOCABULARY), LengthLimits(max_extra=8)
    assert repeats(find(Filters(end_bias=-9.0), length, filters=[narrow])) > 0
    assert repeats(find(Filters(end_bias=-9.0, no_repeat_ngram=size), length, filters=[narrow])) == 0


def test_permitted_tokens_alone_are_said(find):
    free, found = find(), find(filters=[Permitted([5, 6], VOCABULARY)])
    assert not {4, 7}.isdisjoint(token for own in free for hypothesis in own for token in hypothesis.ids)
    assert {5, 6} >= {token for own in found for hypothesis in own for token in hypothesis.ids}
    assert any(hypothesis.finished for own in found for hypothesis in own)


def test_padding_and_bos_are_never_said_but_keep_their_probability(find, random_stepper):
    stepper = random_stepper(6)
    stepper.table[..., [PAD, BOS]] += 20.0
    for options in (None, Filters(end_bias=0.5)):
        found = find(options, stepper=stepper)
        for kind, own in zip(KINDS, found, strict=True):
            for hypothesis in own:
                assert not {PAD, BOS, EOS} & set(hypothesis.ids)
                said = [*hypothesis.ids, *([EOS] if hypothesis.finished else [])]
                assert hypothesis.score == pytest.approx(sum(stepper.token_scores(kind, said)), rel=1e-5)


def test_every_sentence_begins_with_its_own_prefix(find):
    prefixes = [[4], [], [5, 6, 7], [7, 7, 7, 7, 7, 7, 7, 7, 7, 7], [UNK], []]
    free, found = find(), find(filters=[ForcedPrefix(prefixes)])
    for own, before, prefix, length in zip(found, free, prefixes, LENGTHS, strict=True):
        assert own
        for hypothesis in own:
            most = min(len(prefix), length + 4)
            assert hypothesis.ids[:most] == prefix[:most]
        if not prefix:
            assert [hypothesis.ids for hypothesis in own] == [hypothesis.ids for hypothesis in before]


BARRING = {
    "ngrams": (Filters(no_repeat_ngram=2), []),
    "penalty": (Filters(repetition_penalty=1e9, end_bias=1e9), []),
    "permitted": (None, [Permitted([6], VOCABULARY)]),
    "function": (None, [PermittedNext(lambda sentence, prefix: [6, EOS])]),
    "function for nothing": (None, [PermittedNext(lambda sentence, prefix: [])]),
}


@pytest.mark.parametrize("barring", BARRING)
@pytest.mark.parametrize("first", [True, False])
def test_what_is_forced_outranks_what_filters_forbid(find, random_stepper, barring, first):
    options, filters = BARRING[barring]
    prefix, stepper = [4, 5, 4, 5, 5], random_stepper(6)
    forced = [ForcedPrefix([prefix] * 6)]
    found = find(options, LengthLimits(), stepper, filters=[*forced, *filters] if first else [*filters, *forced])
    for kind, own in zip(KINDS, found, strict=True):
        assert own
        for hypothesis in own:
            assert hypothesis.ids[:5] == prefix
            assert hypothesis.token_scores[:5] == pytest.approx(stepper.token_scores(kind, prefix), abs=1e-4)
            assert barring != "permitted" or set(hypothesis.ids[5:]) <= {6}
            assert barring != "function for nothing" or hypothesis.ids == prefix


@pytest.mark.parametrize(
    ("limits", "least"),
    [({"minimum": 3}, [3] * 6), ({"min_ratio": 1.0}, LENGTHS), ({"min_ratio": 0.5, "minimum": 2}, [2, 2, 2, 2, 2, 2])],
    ids=["absolute", "relative", "both"],
)
def test_none_ends_before_its_least_length_and_all_may_at_the_limit(find, limits, least):
    found = find(Filters(end_bias=4.0), LengthLimits(max_ratio=1.0, max_extra=4, **limits))
    for own, fewest in zip(found, least, strict=True):
        assert all(len(hypothesis.ids) >= fewest for hypothesis in own)
        assert any(hypothesis.finished and len(hypothesis.ids) == fewest for hypothesis in own)
    found = find(Filters(end_bias=9.0), LengthLimits(max_ratio=0.0, max_extra=3, minimum=99))
    assert all(len(own[0].ids) == 2 and own[0].finished for own in found)


def test_a_function_sees_prefixes_and_sentences_as_they_are(find):
    """The more so when sentences have left the batch, and empty places of the beam are there."""
    seen = []

    def allowed(sentence, prefix):
        seen.append((sentence, tuple(prefix)))
        return {0: [EOS], 1: [4, EOS], 2: [5, 6, EOS], 3: range(4, 8), 4: None, 5: [7]}[sentence]

    found = find(filters=[PermittedNext(allowed)])
    own_tokens = {0: set(), 1: {4}, 2: {5, 6}, 3: {4, 5, 6, 7}, 4: {UNK, 4, 5, 6, 7}, 5: {7}}
    for sentence, prefix in seen:
        assert set(prefix) <= own_tokens[sentence]
        assert len(prefix) < LENGTHS[sentence] + 4
    assert {(sentence, ()) for sentence in range(6)} <= set(seen)
    assert max(len(prefix) for sentence, prefix in seen if sentence == 5) == LENGTHS[5] + 3
    assert not any(prefix for sentence, prefix in seen if sentence == 0)
    for sentence, own in enumerate(found):
        for hypothesis in own:
            assert {(sentence, tuple(hypothesis.ids[:size])) for size in range(len(hypothesis.ids))} <= set(seen)
            assert set(hypothesis.ids) <= own_tokens[sentence]


def test_all_filters_together_forbid_what_each_forbids(find):
    filters = [ForcedPrefix([[4]] * 6), Permitted([4, 5, 6], VOCABULARY), PermittedNext(lambda row, ids: [3, 5, 6, 4])]
    for own in find(Filters(no_repeat_ngram=1, repetition_penalty=0.5, end_bias=-3.0), filters=filters):
        for hypothesis in own:
            assert hypothesis.ids[0] == 4
            assert len(set(hypothesis.ids)) == len(hypothesis.ids) <= 3
            assert set(hypothesis.ids) <= {4, 5, 6}
