import pytest

from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.symbols import BOS, EOS, PAD


def likeliest_path(space, kind: int) -> tuple[list[int], float, bool]:
    """Ids, score and whether EOS came, one token at a time."""
    ids, score = [], 0.0
    while len(ids) < space.limit:
        following = space.next_scores(kind, ids)
        token = max(following, key=following.__getitem__)
        score += following[token]
        if token == EOS:
            return ids, score, True
        ids.append(token)
    return ids, score, False


def of_length(extra: int, ratio: float = 0.0) -> GreedySearch:
    return GreedySearch(length=LengthLimits(max_ratio=ratio, max_extra=extra))


@pytest.mark.parametrize("seed", range(4))
def test_greedy_takes_the_likeliest_path_and_scores_it_by_the_table(random_stepper, sources, space, seed):
    stepper, kinds, lengths = random_stepper(seed), [3, 0, 5, 2, 4, 1, 3], [4, 1, 9, 2, 7, 3, 8]
    found = of_length(3, 2.0)(stepper, *sources(kinds, lengths))
    for (hypothesis,), kind, length in zip(found, kinds, lengths, strict=True):
        ids, score, finished = likeliest_path(space(stepper, 2 * length + 3), kind)
        assert (hypothesis.ids, hypothesis.finished) == (ids, finished)
        assert hypothesis.score == pytest.approx(score, abs=1e-4)
        assert hypothesis.rank_score == pytest.approx(score, abs=1e-4)


def test_padding_and_bos_are_never_chosen_but_keep_their_probability(random_stepper, sources, space):
    stepper = random_stepper()
    stepper.table[..., [PAD, BOS]] += 20.0
    for kind, (hypothesis,) in enumerate(of_length(14)(stepper, *sources([0, 1, 2]))):
        ids, score, _ = likeliest_path(space(stepper, 14), kind)
        assert not {PAD, BOS, EOS} & set(hypothesis.ids)
        assert hypothesis.ids == ids
        assert hypothesis.score == pytest.approx(score, rel=1e-5)


def test_the_length_limit_depends_on_that_sentence_alone(ending_after, sources):
    found = of_length(2, 1.5)(ending_after([30] * 3), *sources([0, 1, 2], [3, 10, 1]))
    assert [len(hypothesis.ids) for (hypothesis,) in found] == [6, 17, 3]
    assert not any(hypothesis.finished for (hypothesis,) in found)


def test_no_state_is_moved_for_a_beam_of_one(random_stepper, sources, monkeypatch):
    monkeypatch.setattr("seq2seq.decoding.search.search.reorder", None)
    assert GreedySearch()(random_stepper(), *sources([0, 1, 2]))


def test_an_end_at_the_limit_still_counts(ending_after, sources):
    (at,), (beyond,) = of_length(5)(ending_after([4, 5]), *sources([0, 1]))
    assert (at.ids, at.finished) == ([4, 5, 6, 4], True)
    assert (beyond.ids, beyond.finished) == ([4, 5, 6, 4, 5], False)
    assert (len(at.token_scores), len(beyond.token_scores)) == (5, 5)


def test_an_end_at_once_is_an_empty_hypothesis(ending_after, sources):
    stepper = ending_after([0])
    ((hypothesis,),) = GreedySearch()(stepper, *sources([0]))
    assert hypothesis.ids == []
    assert hypothesis.finished
    # The stepper's constant of -7 costs digits of a log-probability near 0.
    assert hypothesis.score == pytest.approx(stepper.log_probabilities(0, [])[EOS], abs=1e-6)


def test_finished_sentences_leave_the_batch_and_order_is_restored(ending_after, sources):
    counts, kinds = [1, 6, 20, 11], [2, 0, 1, 3, 0, 2, 1]
    stepper = ending_after(counts)
    found = GreedySearch()(stepper, *sources(kinds))
    assert [hypothesis.ids for (hypothesis,) in found] == [[4 + i % 3 for i in range(counts[kind])] for kind in kinds]
    assert all(hypothesis.finished for (hypothesis,) in found)
    assert stepper.kinds == [[kind for kind in kinds if counts[kind] >= step] for step in range(max(counts) + 1)]


def test_a_sentence_at_its_limit_leaves_the_batch(ending_after, sources):
    stepper = ending_after([30] * 2)
    of_length(1, 1.0)(stepper, *sources([0, 1], [1, 20]))
    assert stepper.rows == [2, 2, *[1] * 19]
