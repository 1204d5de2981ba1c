"""What searches find in models of every recipe: scores are forced scores, and neighbours never matter."""

from collections.abc import Callable

import pytest
import torch

from seq2seq.decoding.filters import Filters, ForcedPrefix, PermittedNext
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import AverageRanking, CoveragePenalty, GNMTRanking, SumRanking, WordRewardRanking
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.diverse_beam import DiverseBeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.symbols import BOS, EOS

LIMITS = LengthLimits(max_ratio=0.5, max_extra=3)
PHRASES = [[], [[5]], [[6, 7], [4]], [[4, 4]]]
PREFIXES = [[], [5], [7, 6], [4, 4, 4]]


def beam(**options) -> BeamSearch:
    return BeamSearch(beam_size=4, length=LIMITS, **options)


def plain(rows: list[int]) -> dict:
    return {}


def held(rows: list[int]) -> dict:
    return {"phrases": [PHRASES[row % 4] for row in rows]}


def filtered(rows: list[int]) -> dict:
    prefixes = [PREFIXES[row % 4] for row in rows]
    odd = PermittedNext(lambda place, ids: [EOS, *range(4, 9)] if rows[place] % 2 and len(ids) > 3 else None)
    return {"filters": [ForcedPrefix(prefixes), odd]}


ALL_FILTERS = Filters(no_repeat_ngram=2, repetition_penalty=1.3, end_bias=0.4)
SEARCHES: dict[str, tuple[Callable, Callable]] = {
    "greedy": (lambda: GreedySearch(length=LIMITS), plain),
    "greedy-filtered": (lambda: GreedySearch(length=LIMITS, filters=ALL_FILTERS), filtered),
    "sum": (lambda: beam(ranking=SumRanking()), plain),
    "average": (lambda: beam(ranking=AverageRanking(), patience=None), plain),
    "gnmt-coverage": (lambda: beam(ranking=GNMTRanking(alpha=1.0), coverage_penalty=CoveragePenalty(beta=0.3)), plain),
    "reward-filtered": (lambda: beam(ranking=WordRewardRanking(reward=0.5), filters=ALL_FILTERS), filtered),
    "constrained": (lambda: beam(coverage_penalty=CoveragePenalty(beta=0.3)), held),
    "diverse": (lambda: DiverseBeamSearch(beam_size=4, groups=2, length=LIMITS, filters=ALL_FILTERS), filtered),
    "sampling": (lambda: Sampling(samples=3, top_k=8, top_p=0.9, temperature=1.3, length=LIMITS), plain),
    "sampling-filtered": (lambda: Sampling(samples=3, length=LIMITS, filters=ALL_FILTERS), filtered),
}


@pytest.fixture(params=SEARCHES)
def searched(request, model, sentences, padded):
    """A search in a model: searched(rows, extra) are the lists of these sentences."""
    build, ask = SEARCHES[request.param]
    search = build()

    def _searched(rows, extra=0):
        asked = Request(n_best=search.width, attention=True, **ask(rows))
        return search(model, *padded([sentences[row] for row in rows], extra), asked)

    return _searched


def test_batch_of_one_is_batch_of_many_is_shuffled_is_padded(searched, sentences, assert_same):
    rows = list(range(len(sentences)))
    together = searched(rows)
    assert len({hypothesis.finished for own in together for hypothesis in own}) == 2, "both ways to end must occur"
    order = torch.randperm(len(rows)).tolist()
    for row, own in zip(order, searched(order, extra=2), strict=True):
        assert_same(own, together[row])
    for row in rows[:2]:
        (alone,) = searched([row])
        assert_same(alone, together[row])


def test_forced_scores_and_attention_are_those_of_the_search(searched, model, sentences, padded):
    every = searched(list(range(len(sentences))))
    found = [(sentence, hypothesis) for sentence, own in zip(sentences, every, strict=True) for hypothesis in own]
    said = [[*hypothesis.ids, *([EOS] if hypothesis.finished else [])] for _, hypothesis in found]
    inputs, _ = padded([[BOS, *ids] for ids in said])
    with torch.no_grad():
        features, weights, *_ = model(*padded([sentence for sentence, _ in found]), inputs)
    for place, ((sentence, hypothesis), ids) in enumerate(zip(found, said, strict=True)):
        with torch.no_grad():
            forced = model.output.target_scores(features[place, : len(ids)], torch.tensor(ids, dtype=torch.long))
        assert hypothesis.token_scores == pytest.approx(forced.tolist(), abs=1e-5, rel=1e-5)
        assert hypothesis.score == pytest.approx(forced.sum().item(), abs=1e-5, rel=1e-5)
        assert hypothesis.score == pytest.approx(sum(hypothesis.token_scores), abs=1e-6)
        looked = weights[place, : len(hypothesis.ids), : len(sentence)]
        torch.testing.assert_close(hypothesis.attention, looked)


def test_a_wide_beam_finds_the_best_of_a_model_s_space(model, sentences, padded):
    """All hypotheses of at most two tokens, scored by force; 11 tokens beside PAD and BOS."""
    search = BeamSearch(beam_size=150, length=LengthLimits(max_ratio=0.0, max_extra=2))
    said = [[EOS], *([token, EOS] for token in range(1, 13) if token not in (BOS, EOS))]
    for sentence in sentences[:3]:
        source, lengths = padded([sentence] * len(said))
        inputs, _ = padded([[BOS, *ids] for ids in said])
        with torch.no_grad():
            features, *_ = model(source, lengths, inputs)
            scores = [
                model.output.target_scores(features[place, : len(ids)], torch.tensor(ids, dtype=torch.long))
                .sum()
                .item()
                for place, ids in enumerate(said)
            ]
        (found,) = search(model, *padded([sentence]), Request(n_best=len(said)))
        possible = [place for place in range(len(said)) if scores[place] > float("-inf")]
        order = sorted(possible, key=lambda place: -scores[place])
        found = [hypothesis for hypothesis in found if hypothesis.finished]
        assert [hypothesis.ids for hypothesis in found] == [said[place][:-1] for place in order]
        assert [hypothesis.score for hypothesis in found] == pytest.approx([scores[place] for place in order], abs=1e-5)
