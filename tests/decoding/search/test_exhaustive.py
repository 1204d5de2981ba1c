"""A beam as wide as the space finds what counting out the space finds."""

from functools import partial

import pytest

from seq2seq.decoding.filters import Filters, ForcedPrefix, Permitted, PermittedNext
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import AverageRanking, CoveragePenalty, GNMTRanking, SumRanking, WordRewardRanking
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.beam import BeamSearch

# Three tokens beside EOS, at most four of them: 40 hypotheses that end and 81 that do not.
VOCABULARY, WIDTH = 6, 128
KINDS, LENGTHS = [2, 0, 1, 2], [3, 1, 2, 1]
LIMITS = {"max_ratio": 1.0, "max_extra": 1}

RANKINGS = {
    "sum": (SumRanking(), lambda score, steps: score),
    "average": (AverageRanking(), lambda score, steps: score / steps),
    "gnmt": (GNMTRanking(alpha=0.6), lambda score, steps: score / ((5 + steps) / 6) ** 0.6),
    "gnmt-for-long": (GNMTRanking(alpha=3.0), lambda score, steps: score / ((5 + steps) / 6) ** 3.0),
    "gnmt-for-short": (GNMTRanking(alpha=-2.0), lambda score, steps: score * ((5 + steps) / 6) ** 2.0),
    "reward": (WordRewardRanking(reward=1.2), lambda score, steps: score + 1.2 * steps),
    "punishment": (WordRewardRanking(reward=-0.7), lambda score, steps: score - 0.7 * steps),
}
PREFIXES = [[4], [], [5, 1], [1]]


def after_four_no_five(sentence: int, prefix: list[int]) -> list[int] | None:
    """Sentence 2 may say all; the others never 5 after 4, and nothing but the end after 5."""
    if sentence == 2 or not prefix:
        return None
    return {4: [1, 3, 4], 5: [3]}.get(prefix[-1])


FILTERS = {
    "unigrams": (Filters(no_repeat_ngram=1), [], [("no_repeat_ngram", 1)]),
    "bigrams": (Filters(no_repeat_ngram=2), [], [("no_repeat_ngram", 2)]),
    "trigrams": (Filters(no_repeat_ngram=3), [], [("no_repeat_ngram", 3)]),
    "penalty": (Filters(repetition_penalty=1.7), [], [("repetition_penalty", 1.7)]),
    "bonus": (Filters(repetition_penalty=0.4), [], [("repetition_penalty", 0.4)]),
    "late-end": (Filters(end_bias=-1.5), [], [("end_bias", -1.5)]),
    "early-end": (Filters(end_bias=2.5), [], [("end_bias", 2.5)]),
    "permitted": (Filters(), [Permitted([1, 5], VOCABULARY)], [("permitted", [1, 5])]),
    "permitted-next": (Filters(), [PermittedNext(after_four_no_five)], [("permitted_next", after_four_no_five)]),
    "prefix": (Filters(), [ForcedPrefix(PREFIXES)], [("forced_prefix", PREFIXES)]),
    "several": (
        Filters(no_repeat_ngram=2, repetition_penalty=1.3, end_bias=0.8),
        [ForcedPrefix(PREFIXES), PermittedNext(after_four_no_five)],
        [
            ("no_repeat_ngram", 2),
            ("repetition_penalty", 1.3),
            ("end_bias", 0.8),
            ("forced_prefix", PREFIXES),
            ("permitted_next", after_four_no_five),
        ],
    ),
}


@pytest.mark.parametrize("beta", [0.0, 0.6], ids=["", "coverage"])
@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_beam_as_wide_as_the_space_ranks_all_of_it(assert_found, random_stepper, sources, space, ranking, beta):
    searched, plain = RANKINGS[ranking]
    stepper = random_stepper(len(ranking), VOCABULARY)
    wanted = [
        space(stepper, length + 1).ranked(kind, length, plain, beta)
        for kind, length in zip(KINDS, LENGTHS, strict=True)
    ]
    for patience in (None, 1.0):
        search = BeamSearch(
            beam_size=WIDTH,
            patience=patience,
            ranking=searched,
            coverage_penalty=CoveragePenalty(beta=beta),
            length=LengthLimits(**LIMITS),
        )
        for n_best in (1, 5, WIDTH):
            found = search(stepper, *sources(KINDS, LENGTHS), Request(n_best=n_best))
            for own, ranked in zip(found, wanted, strict=True):
                assert_found(own, ranked, n_best)


@pytest.mark.parametrize(("ranking", "as_options"), [("sum", True), ("gnmt", False)], ids=["options", "request"])
@pytest.mark.parametrize("name", FILTERS)
def test_filters_make_the_space_and_its_order(
    assert_found, random_stepper, sources, space, plain_filters, name, ranking, as_options
):
    filters, asked, plain = FILTERS[name]
    if not as_options:
        filters, asked = Filters(), [*filters.active, *asked]
    edits = [plain_filters[kind](value) for kind, value in plain]
    search = partial(BeamSearch, beam_size=WIDTH, filters=filters, ranking=RANKINGS[ranking][0])
    stepper = random_stepper(3, VOCABULARY)
    for n_best in (2, WIDTH):
        found = search(length=LengthLimits(**LIMITS))(
            stepper, *sources(KINDS, LENGTHS), Request(n_best=n_best, filters=asked)
        )
        for sentence, (own, kind, length) in enumerate(zip(found, KINDS, LENGTHS, strict=True)):
            every = space(stepper, length + 1, edits=edits, sentence=sentence)
            assert_found(own, every.ranked(kind, length, RANKINGS[ranking][1]), n_best)


AT_LEAST = {
    "absolute": ({"minimum": 2}, lambda length: 2),
    "relative": ({"min_ratio": 1.0}, lambda length: length),
    "above-the-limit": ({"minimum": 9}, lambda length: 9),
}


@pytest.mark.parametrize(("limits", "least"), AT_LEAST.values(), ids=AT_LEAST)
def test_a_least_length_takes_shorter_ones_from_the_space(assert_found, random_stepper, sources, space, limits, least):
    stepper = random_stepper(4, VOCABULARY)
    search = BeamSearch(beam_size=WIDTH, length=LengthLimits(**LIMITS, **limits))
    found = search(stepper, *sources(KINDS, LENGTHS), Request(n_best=WIDTH))
    for own, kind, length in zip(found, KINDS, LENGTHS, strict=True):
        every = space(stepper, length + 1, minimum=least(length))
        assert_found(own, every.ranked(kind, length, RANKINGS["sum"][1]), WIDTH)


@pytest.mark.parametrize(
    "phrases",
    [
        [[[4]], [], [[5], [1]], [[5]]],
        [[[4, 4, 5]], [[4]], [[1, 5], [5, 4]], []],
        [[[4, 5], [5, 4]], [[1]], [[4], [4]], [[4, 4]]],
        [[[1, 4, 1], [4, 1]], [], [[4, 5], [4]], [[5]]],
        [[[4], [5], [1]], [[]], [[], [5]], [[1]]],
    ],
)
@pytest.mark.parametrize("ranking", ["sum", "gnmt-for-long"])
def test_constraints_take_what_lacks_a_phrase_from_the_space(
    assert_found, random_stepper, sources, space, phrases, ranking
):
    searched, plain = RANKINGS[ranking]
    stepper = random_stepper(5, VOCABULARY)
    search = BeamSearch(beam_size=WIDTH, ranking=searched, length=LengthLimits(**LIMITS))
    for n_best in (1, 3):
        found = search(stepper, *sources(KINDS, LENGTHS), Request(n_best=n_best, phrases=phrases))
        for own, kind, length, held in zip(found, KINDS, LENGTHS, phrases, strict=True):
            whole = [
                (rank, one)
                for rank, one in space(stepper, length + 1).ranked(kind, length, plain)
                if all(holds(one.ids, phrase) for phrase in held)
            ]
            assert_found(own[: len(whole)], whole, n_best)


def holds(ids, phrase) -> bool:
    return any(ids[place : place + len(phrase)] == phrase for place in range(len(ids) - len(phrase) + 1))
