"""Curricula by hand, and epochs that differ by the step that they begin at."""

import math

import numpy as np
import pytest
import torch

from seq2seq.data.batch import PairSequences
from seq2seq.data.batch_growth import BatchGrowth
from seq2seq.data.batching import TokenBudget
from seq2seq.data.curriculum import CompetenceCurriculum, LengthCurriculum, rarity
from seq2seq.data.datamodule import plan
from seq2seq.data.pacing import Pacing
from seq2seq.data.sequences import TokenSequences
from seq2seq.errors import UserError

LENGTHS = np.random.default_rng(1).integers(1, 30, 300).tolist()


def pairs_of(lengths: list[int]) -> PairSequences:
    """Pairs of so many tokens on each side, as many kinds of tokens as there are pairs."""
    side = TokenSequences.from_ids([[4 + row] * length for row, length in enumerate(lengths)])
    return PairSequences(side, side)


PAIRS = pairs_of(LENGTHS)


def drawn(number: int):
    return PAIRS, plan(PAIRS, TokenBudget(256, 16), pool_batches=5, seed=3)


def rows_of(batches) -> list[int]:
    return sorted(row for batch in batches for row in batch.tolist())


# ---- Equations


def test_competence_is_that_of_the_paper():
    root, linear = CompetenceCurriculum(start=0.01), CompetenceCurriculum(start=0.01, growth="linear")
    assert [round(root.competence(way), 3) for way in (0.0, 0.1, 0.5, 1.0)] == [0.01, 0.316, 0.707, 1.0]
    assert [round(linear.competence(way), 4) for way in (0.0, 0.1, 0.5, 1.0)] == [0.01, 0.109, 0.505, 1.0]


def test_rarity_by_hand():
    # Tokens a a a b: a has 3/4 of all, b 1/4.
    found = rarity(TokenSequences.from_ids([[4, 4], [4, 5]]))
    expected = [-2 * math.log(3 / 4), -math.log(3 / 4) - math.log(1 / 4)]
    assert np.allclose(found, expected, atol=1e-6)


def test_the_easiest_share_is_admitted_by_length_or_by_rarity():
    # Four long pairs of one common token, and a short one of two rare ones.
    side = TokenSequences.from_ids([*([[4] * 9] * 4), [5, 6]])
    pairs = PairSequences(side, side)
    by_length = CompetenceCurriculum(steps=10, start=0.2).admitted(pairs, 0, 1)
    by_rarity = CompetenceCurriculum(steps=10, start=0.2, difficulty="rarity").admitted(pairs, 0, 1)
    assert by_length.tolist() == [4]
    assert len(by_rarity) == 1
    assert by_rarity[0] < 4
    assert rarity(side)[4] > rarity(side)[0]


def test_one_pair_at_least_is_admitted_and_equals_are_drawn_by_seed():
    alike = pairs_of([7] * 50)
    curriculum = CompetenceCurriculum(steps=10, start=0.001)
    assert len(curriculum.admitted(alike, 0, 1)) == 1
    assert len({int(curriculum.admitted(alike, 0, seed)[0]) for seed in range(9)}) > 1
    assert curriculum.admitted(alike, 0, 1) == curriculum.admitted(alike, 0, 1)


def test_lengths_grow_evenly_to_the_longest():
    curriculum, longest = LengthCurriculum(steps=100, start=4), max(LENGTHS)
    for step in (0, 30, 99):
        bound = 4 + step / 100 * (longest - 4)
        expected = [row for row, length in enumerate(LENGTHS) if length <= bound]
        assert curriculum.admitted(PAIRS, step, 1).tolist() == expected
    assert len(curriculum.admitted(PAIRS, 100, 1)) == len(PAIRS)


def test_the_longer_side_counts():
    short, long = (TokenSequences.from_ids([[4] * length, [5]]) for length in (1, 9))
    assert LengthCurriculum(steps=9, start=8).admitted(PairSequences(short, long), 0, 1).tolist() == [1]
    assert LengthCurriculum(steps=9, start=8).admitted(PairSequences(long, short), 0, 1).tolist() == [1]


CURRICULA = [
    LengthCurriculum(steps=60, start=4),
    CompetenceCurriculum(steps=60, start=0.05),
    CompetenceCurriculum(steps=60, start=0.05, difficulty="rarity", growth="linear"),
]


@pytest.mark.parametrize("curriculum", CURRICULA)
def test_whoever_is_admitted_stays_so(curriculum):
    before: set[int] = set()
    for step in range(0, 70, 7):
        now = set(curriculum.admitted(PAIRS, step, 1).tolist())
        assert before <= now
        before = now
    assert len(before) == len(PAIRS)


# ---- Epochs


@pytest.mark.parametrize("curriculum", CURRICULA)
@pytest.mark.parametrize("window", [1, 3])
def test_every_admitted_pair_comes_exactly_once_within_the_budget(curriculum, window):
    pacing, step = Pacing(curriculum, None, window), 0
    for number in range(40):
        pairs, batches = pacing.epoch(number, drawn)
        assert rows_of(batches) == curriculum.admitted(pairs, step, 3).tolist()
        for rows in batches:
            lengths = pairs.source.lengths[rows] + 1
            assert len(rows) == 1 or (len(rows) <= 16 and 2 * int(lengths.max()) * len(rows) <= 256)
        step += math.ceil(len(batches) / window)
    assert step > curriculum.steps


@pytest.mark.parametrize("growth", [None, BatchGrowth(every=20)])
@pytest.mark.parametrize("curriculum", [None, *CURRICULA])
def test_an_epoch_is_a_function_of_its_number_alone(curriculum, growth):
    told = Pacing(curriculum, growth, 2)
    in_turn = [told.epoch(number, drawn)[1] for number in range(14)]
    for number in (13, 5, 0):
        alone = Pacing(curriculum, growth, 2).epoch(number, drawn)[1]
        assert len(alone) == len(in_turn[number])
        assert all(map(torch.equal, alone, in_turn[number]))
    again = told.epoch(4, drawn)[1]
    assert all(map(torch.equal, again, in_turn[4]))


def test_when_it_ends_epochs_are_those_of_no_curriculum():
    pacing = Pacing(CURRICULA[1])
    epoch, step = pacing.first_from(60, drawn, None)
    assert step >= 60
    assert len(rows_of(pacing.epoch(epoch - 1, drawn)[1])) < len(PAIRS)
    for number in (epoch, epoch + 3):
        assert all(map(torch.equal, pacing.epoch(number, drawn)[1], drawn(number)[1].epoch(number)))


def test_an_end_behind_the_limit_is_none():
    assert Pacing(CURRICULA[1]).first_from(60, drawn, 61) is None
    assert Pacing(CURRICULA[1]).first_from(60, drawn, 1000) is not None


# ---- Growth


def test_batches_grow_by_a_factor_up_to_the_maximum():
    growth = BatchGrowth(factor=2.0, every=10, maximum=6.0)
    assert [growth.times(step) for step in (0, 9, 10, 19, 20, 29, 30, 1000)] == [1.0, 1.0, 2.0, 2.0, 4.0, 4.0, 6.0, 6.0]
    assert growth.grown(TokenBudget(100, 7), 20) == TokenBudget(400, 28)
    assert growth.largest(TokenBudget(100, 7)) == TokenBudget(600, 42)


def test_epochs_get_fewer_and_larger_batches_of_the_same_pairs():
    pacing = Pacing(None, BatchGrowth(factor=2.0, every=30, maximum=4.0))
    counts = []
    for number in range(6):
        _, batches = pacing.epoch(number, drawn)
        assert rows_of(batches) == list(range(len(PAIRS)))
        counts.append(len(batches))
    assert counts[0] > 1.5 * counts[1] > 2 * counts[2]
    assert max(counts[2:]) - min(counts[2:]) <= 1


# ---- Mistakes


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LengthCurriculum(steps=0), "steps must be at least 1, but is 0: for all pairs at once, choose"),
        (lambda: LengthCurriculum(start=0), "start must be at least 1 token, but is 0."),
        (lambda: CompetenceCurriculum(start=0.0), "start must be above 0 and below 1, but is 0.0: it is a share"),
        (lambda: CompetenceCurriculum(start=1.0), "start must be above 0 and below 1, but is 1.0: it is a share"),
        (lambda: CompetenceCurriculum(difficulty="size"), "difficulty must be length or rarity, but is 'size'."),
        (lambda: CompetenceCurriculum(growth="square"), "growth must be root or linear, but is 'square'."),
        (
            lambda: LengthCurriculum(start=2).admitted(pairs_of([5, 9]), 0, 1),
            "start must be at least 5, the tokens of the shortest pair, but is 2: raise it.",
        ),
        (lambda: BatchGrowth(factor=1.0), "factor must be above 1, but is 1.0: for batches of one size, choose none."),
        (lambda: BatchGrowth(every=0), "every must be at least 1 step, but is 0."),
        (lambda: BatchGrowth(maximum=1.5), "maximum must be at least factor=2.0, but is 1.5: nothing would ever grow."),
    ],
)
def test_what_cannot_be_is_refused(build, message):
    with pytest.raises(UserError) as error:
        build()
    assert str(error.value).startswith(message)
