"""Phrases that must be held: how far a hypothesis is, whose turn it is, and that narrow beams hold them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.decoding.constraints import Phrases, round_robin
from seq2seq.decoding.filters import Filters
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import CoveragePenalty, GNMTRanking
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.symbols import PAD

LAW = settings(deadline=None, max_examples=60)
TOKEN = st.integers(4, 6)
PHRASE = st.lists(TOKEN, max_size=4)
KINDS = [2, 0, 1, 3, 5, 4]
PHRASES = [[[4, 4, 5]], [], [[5, 6], [6, 5]], [[7], [7, 7], [4]], [[6, 6, 6, 6]], [[1, 4], [5], [7]]]


def holds(ids, phrase) -> bool:
    return any(ids[place : place + len(phrase)] == phrase for place in range(len(ids) - len(phrase) + 1))


def begun(ids, phrase) -> int:
    """The longest beginning of a phrase that ends the ids."""
    return max(size for size in range(len(phrase)) if ids[len(ids) - size :] == phrase[:size] and size <= len(ids))


def plain_progress(ids, phrases) -> int:
    held = sum(len(phrase) for phrase in phrases if holds(ids, phrase))
    return held + max((begun(ids, phrase) for phrase in phrases if not holds(ids, phrase)), default=0)


@LAW
@given(
    st.lists(st.lists(PHRASE, max_size=3), min_size=1, max_size=3).flatmap(
        lambda own: st.tuples(
            st.just(own),
            st.integers(0, 7).flatmap(
                lambda time: st.lists(
                    st.lists(TOKEN, min_size=time, max_size=time), min_size=2 * len(own), max_size=2 * len(own)
                )
            ),
        )
    )
)
def test_progress_and_next_tokens_are_those_of_plain_python(case):
    own, rows = case
    phrases = Phrases(own)
    ids = torch.tensor(rows, dtype=torch.long).view(len(own), 2, -1)
    progress, following = phrases.progress(ids), phrases.next_tokens(ids)
    for sentence, wanted in enumerate(own):
        assert phrases.total[sentence] == sum(map(len, wanted))
        for place in range(2):
            said = ids[sentence, place].tolist()
            assert progress[sentence, place] == plain_progress(said, wanted)
            tokens = [PAD if holds(said, phrase) else phrase[begun(said, phrase)] for phrase in wanted]
            padding = [PAD] * (following.shape[2] - len(wanted))
            assert following[sentence, place].tolist() == [*tokens, *padding]


@pytest.mark.parametrize(
    ("said", "progress", "token"),
    [([4, 4, 4], 2, 5), ([4, 4, 4, 5], 3, PAD), ([4, 5, 4], 1, 4), ([5, 4, 4, 6], 0, 4), ([4, 4, 5, 4], 3, PAD)],
)
def test_a_phrase_that_begins_twice(said, progress, token):
    phrases, ids = Phrases([[[4, 4, 5]]]), torch.tensor([[said]])
    assert phrases.progress(ids).item() == progress
    assert phrases.next_tokens(ids).item() == token


def test_phrases_of_chosen_sentences():
    phrases = Phrases(PHRASES).of(torch.tensor([4, 2]))
    assert phrases.total.tolist() == [4, 4]
    assert phrases.progress(torch.tensor([[[6, 6]], [[6, 5]]])).tolist() == [[2], [3]]  # [5] may begin [5, 6]


def plain_round_robin(scores, stages) -> list[int]:
    """The best of every stage in turn, the furthest stage first."""
    waiting = {
        stage: sorted((place for place in range(len(scores)) if stages[place] == stage), key=lambda one: -scores[one])
        for stage in sorted(set(stages), reverse=True)
    }
    order = []
    while any(waiting.values()):
        order += [own.pop(0) for own in waiting.values() if own]
    return order


@LAW
@given(
    st.lists(
        st.lists(st.tuples(st.integers(-40, 0), st.integers(0, 4), st.booleans()), min_size=7, max_size=7),
        min_size=1,
        max_size=3,
    )
)
def test_stages_take_turns_as_in_plain_python(rows):
    scores = [[score + place / 100 for place, (score, _, _) in enumerate(row)] for row in rows]
    stages = [[stage for _, stage, _ in row] for row in rows]
    dead = [[all_but_first and place > 0 for place, (_, _, all_but_first) in enumerate(row)] for row in rows]
    given_scores = torch.tensor(scores).masked_fill(torch.tensor(dead), float("-inf"))
    order = round_robin(given_scores, torch.tensor(stages)).tolist()
    for row, places in enumerate(order):
        alive = [place for place in range(7) if not dead[row][place]]
        wanted = plain_round_robin([scores[row][place] for place in alive], [stages[row][place] for place in alive])
        assert places[: len(alive)] == [alive[place] for place in wanted]
        assert sorted(places) == list(range(7))


@pytest.mark.parametrize("options", [{}, {"end_bias": 3.0}, {"repetition_penalty": 4.0}], ids=str)
@pytest.mark.parametrize("beam_size", [1, 2, 3])
def test_narrow_beams_hold_every_phrase_where_the_limit_leaves_room(random_stepper, sources, beam_size, options):
    """The tightest limit too, of which hypotheses without an end are left."""
    held = ends = 0
    for seed in range(2):
        for room in (0, 3):
            limits = LengthLimits(max_ratio=1.0, max_extra=1 + room)
            lengths = [max(1, sum(map(len, own))) for own in PHRASES]
            search = BeamSearch(beam_size=beam_size, length=limits, filters=Filters(**options))
            asked = Request(n_best=beam_size, phrases=PHRASES)
            found = search(random_stepper(seed, sharpness=3.0), *sources(KINDS, lengths), asked)
            for own, phrases in zip(found, PHRASES, strict=True):
                assert all(holds(own[0].ids, phrase) for phrase in phrases)
                held += len(phrases)
                for hypothesis in own:
                    ends += hypothesis.finished
                    assert not hypothesis.finished or all(holds(hypothesis.ids, phrase) for phrase in phrases)
    assert held
    assert ends


def test_where_the_limit_leaves_no_room_what_holds_most_comes_first(random_stepper, sources):
    search = BeamSearch(beam_size=4, length=LengthLimits(max_ratio=0.0, max_extra=2))
    for own in search(random_stepper(), *sources(KINDS), Request(n_best=4, phrases=[[[5, 5, 4]]] * len(KINDS))):
        kept = [plain_progress(hypothesis.ids, [[5, 5, 4]]) for hypothesis in own]
        assert kept[0] == 2
        assert kept == sorted(kept, reverse=True)
        assert not any(hypothesis.finished for hypothesis in own)
        assert all(hypothesis.rank_score == pytest.approx(hypothesis.score, abs=1e-4) for hypothesis in own)


@pytest.mark.parametrize("beam_size", [1, 3, 5])
def test_a_sentence_without_phrases_is_searched_as_ever(random_stepper, sources, assert_same, beam_size):
    options = {
        "ranking": GNMTRanking(alpha=1.0),
        "coverage_penalty": CoveragePenalty(beta=0.2),
        "length": LengthLimits(max_extra=4),
        "filters": Filters(no_repeat_ngram=2),
    }
    search = BeamSearch(beam_size=beam_size, **options)
    free = search(random_stepper(), *sources(KINDS), Request(n_best=beam_size, attention=True))
    for phrases in ([[]] * 6, [[], [[4]], [], [[]], [[5, 5]], []]):
        asked = Request(n_best=beam_size, attention=True, phrases=phrases)
        found = search(random_stepper(), *sources(KINDS), asked)
        for own, wanted, held in zip(found, free, phrases, strict=True):
            if held in ([], [[]]):
                assert_same(own, wanted)


def test_phrases_change_what_is_found(random_stepper, sources):
    search = BeamSearch(length=LengthLimits(max_extra=4))
    free = search(random_stepper(), *sources(KINDS))
    held = search(random_stepper(), *sources(KINDS), Request(phrases=[[[7, 1]]] * len(KINDS)))
    assert [own[0].ids for own in free] != [own[0].ids for own in held]


def test_where_the_limit_leaves_room_the_best_has_an_end(random_stepper, sources):
    """Hypotheses without room for their end must not displace those that have it."""
    search = BeamSearch(beam_size=5, length=LengthLimits(max_ratio=0.0, max_extra=9))
    for seed in range(20):
        torch.manual_seed(seed)
        found = search(random_stepper(), *sources(KINDS), Request(phrases=[[[5, 5], [6, 4]]] * len(KINDS)))
        assert all(own[0].finished for own in found)
